"""The catalog: one immutable snapshot of the served models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from app.engine.served import ServedModel
from app.errors import MAX_REPEATED_CHARACTERS, UnknownModel, UnknownVersion
from app.places import VERSION

View = TypeVar("View")

MAX_REPEATED_VERSION = 20
"""Characters of an unknown version that an error repeats."""


class Unavailable(NamedTuple):
    """A version that is in the repository and is not served as it is there."""

    name: str
    version: int
    reason: str


class Catalog:
    """
    Every served version, by name and number. A model's default version is its largest.

    A catalog never changes. A reload builds the next one beside it and swaps one reference; whatever is derived from a
    catalog is kept in it, as a view, and goes with it.
    """

    def __init__(
        self,
        models: Iterable[ServedModel],
        problems: tuple[Unavailable, ...] = (),
        unloaded: tuple[Unavailable, ...] = (),
    ) -> None:
        self.problems = problems
        """The versions that cannot be loaded. One that was valid before is served as it was."""
        self.unloaded = unloaded
        """The versions of the models that a client unloaded."""
        found: dict[str, dict[int, ServedModel]] = {}
        for model in models:
            found.setdefault(model.manifest.name, {})[model.manifest.version] = model
        self._models: Mapping[str, Mapping[int, ServedModel]] = {
            name: dict(sorted(versions.items())) for name, versions in found.items()
        }
        self._defaults = {name: versions[max(versions)] for name, versions in self._models.items()}
        self._views: dict[Callable[[Catalog], Any], Any] = {}

    def get(self, name: str, version: str | None = None) -> ServedModel:
        """Return a version of a model, by default the largest. Raises UnknownModel or UnknownVersion."""
        if version is None and name in self._defaults:
            return self._defaults[name]
        versions = self.versions(name)
        number = int(version) if version and VERSION.fullmatch(version) else 0
        if number not in versions:
            raise UnknownVersion(
                f"the model {name!r} has no version {str(version)[:MAX_REPEATED_VERSION]}; "
                f"it has {', '.join(map(str, versions))}"
            )
        return versions[number]

    def versions(self, name: str) -> Mapping[int, ServedModel]:
        """Return all versions of a model, the smallest first. Raises UnknownModel."""
        if name not in self._models:
            raise UnknownModel(
                f"there is no model {name[:MAX_REPEATED_CHARACTERS]!r}; there are {', '.join(self._models)}"
            )
        return self._models[name]

    def all_versions(self) -> Iterator[ServedModel]:
        """Yield every version of every model; the smallest version of a model comes first."""
        return (model for versions in self._models.values() for model in versions.values())

    def able_to(self, task: str) -> list[ServedModel]:
        """Return the default versions that support a task."""
        return [model for model in self if task in model.tasks]

    def __iter__(self) -> Iterator[ServedModel]:
        """Yield the default version of every model, by name."""
        return iter(self._defaults.values())

    def has_view(self, build: Callable[[Catalog], View]) -> bool:
        """Return True if `view` would return at once."""
        return build in self._views

    def view(self, build: Callable[[Catalog], View]) -> View:
        """Return what a function makes of this catalog; it is called once, or more often if threads meet here."""
        if build not in self._views:
            self._views[build] = build(self)
        view: View = self._views[build]
        return view
