"""Reloading: what changed in the model repository since it was last read, and the catalog that follows from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import structlog
from pydantic import ValidationError

from app.engine.autoencoder import Autoencoder
from app.engine.catalog import Catalog, Unavailable
from app.engine.process import return_memory
from app.engine.repository import LoadOutcome, OnLoad, check_files, load_version
from app.engine.served import ServedModel
from app.errors import InvalidModel, NoModels, Refused, UnknownModel
from app.files import list_folder, read_problem
from app.manifest import Manifest
from app.places import VERSION, absence

log = structlog.get_logger(__name__)

MAX_FILES = 1000
"""The most files of a version that are watched."""
MAX_REASON_CHARACTERS = 500
"""The longest reason of a problem: a wrong manifest may have any number of errors."""

Fingerprint: TypeAlias = frozenset[tuple[str, int, int, int]]
"""The path, size, time of writing and time of change of each file of a version, as the file system has them."""


class VersionKey(NamedTuple):
    """The name of a model and the number of one of its versions."""

    name: str
    number: int


class LogLine(NamedTuple):
    """A line of the log about a folder."""

    event: str
    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """The folders of a repository, without a look into any file."""

    versions: Mapping[VersionKey, Fingerprint]
    unreadable: Mapping[str, str]
    """The reason for each model whose folder cannot be read."""
    others: frozenset[str]
    """The paths that are not versions, although they lie where versions do."""


class RepositoryReader:
    """
    Reads a repository again and again, and keeps what has not changed.

    A version is read once its files are the same in two successive looks: until then, it is being copied. It is never
    read again before its files change, valid or not. If it was served and is now invalid, it is served as it was. The
    methods are called by one thread at a time.
    """

    def __init__(self, root: Path, serve: Callable[[Autoencoder], ServedModel], on_load: OnLoad | None = None) -> None:
        self.catalog = Catalog([])
        """The catalog of the last look."""
        self._root = root
        self._serve = serve
        self._on_load = on_load
        """Called with the outcome of each load."""
        self._models: dict[VersionKey, ServedModel] = {}
        self._problems: dict[VersionKey, Unavailable] = {}
        self._read: dict[VersionKey, Fingerprint] = {}
        """The files of each version that was read, whether it was valid or not."""
        self._listing = Listing({}, {}, frozenset())
        """The last look."""
        self._unloaded: set[str] = set()
        """The models that a client unloaded."""
        self._warnings: set[LogLine] = set()
        """The warnings that hold since an earlier look: each is logged once."""

    def load(self) -> Catalog:
        """Read every version. Raises NoModels if none is valid."""
        self.look(patient=False)
        if not self._models:
            reasons = [f"{key.name}/{key.number}: {self._problems[key].reason}" for key in sorted(self._problems)]
            raise NoModels(absence(self._root, reasons))
        return self.catalog

    def look(self, *, patient: bool = True, only: str | None = None) -> Catalog:
        """
        Read what changed, and return the next catalog, which is the last one if nothing changed.

        An impatient look reads versions that may still be copied. `only` is the name of the only model to read.
        """
        try:
            listing = list_repository(self._root)
        except OSError as error:
            self._warn({LogLine("repository not read", str(self._root), read_problem(error))})
            return self.catalog
        before = dict(self._models)
        self._forget(listing)
        for key, files in sorted(listing.versions.items()):
            settled = not patient or self._listing.versions.get(key) == files
            wanted = key.name not in self._unloaded and only in (None, key.name)
            if wanted and settled and self._read.get(key) != files:
                self._read_version(key, files)
        warnings = {LogLine("folder skipped", path, "not a version") for path in listing.others}
        warnings |= {LogLine("folder skipped", str(self._root / name), why) for name, why in listing.unreadable.items()}
        if before and not self._models:
            self._models = before
            warnings.add(LogLine("last models kept", str(self._root), "no valid version is left"))
        self._warn(warnings)
        self._listing = listing
        return self._next_catalog()

    def load_model(self, name: str) -> Catalog:
        """Read all versions of a model now, invalid ones again. Raises UnknownModel if it has none."""
        self._unloaded.discard(name)
        for key in [key for key in self._problems if key.name == name]:
            self._read.pop(key, None)
        catalog = self.look(patient=False, only=name)
        if name not in {key.name for key in (*self._listing.versions, *self._models)}:
            raise UnknownModel(f"the repository has no model {name!r}")
        return catalog

    def unload_model(self, name: str) -> Catalog:
        """Remove a model until it is loaded again. Raises UnknownModel, or Refused if no other model is left."""
        self.catalog.versions(name)
        rest = {key: model for key, model in self._models.items() if key.name != name}
        if not rest:
            raise Refused(f"the model {name!r} is the last one, which is never removed")
        self._models = rest
        self._unloaded.add(name)
        for key in [key for key in self._read if key.name == name]:
            self._read.pop(key)
            self._problems.pop(key, None)
        log.info("model unloaded", model=name)
        return self._next_catalog()

    def _forget(self, listing: Listing) -> None:
        """Forget the versions that are gone, except those in a folder that cannot be read at the moment."""
        for key in {*self._read, *self._models, *self._problems}:
            if key not in listing.versions and key.name not in listing.unreadable:
                self._read.pop(key, None)
                self._problems.pop(key, None)
                self._models.pop(key, None)

    def _read_version(self, key: VersionKey, files: Fingerprint) -> None:
        """Load a version, or remember why it cannot be loaded."""
        folder, served = self._root / key.name / str(key.number), self._models.get(key)
        self._read[key] = files
        try:
            if served is None or not has_same_content(folder, served.manifest):
                self._models[key] = self._serve(load_version(folder, key.name, key.number))
                log.info("version loaded", model=key.name, version=key.number)
                self._report("loaded")
            self._problems.pop(key, None)
        except Exception as error:  # whatever a graph raises when it is measured, the other versions must be served
            reason = str(error) if isinstance(error, InvalidModel) else f"{type(error).__name__}: {error}"
            self._problems[key] = Unavailable(*key, reason[:MAX_REASON_CHARACTERS])
            log.warning("version skipped", model=key.name, version=key.number, reason=reason[:MAX_REASON_CHARACTERS])
            self._report("refused")
        return_memory()  # graphs that were checked and closed, and runs that were timed, have left much

    def _report(self, outcome: LoadOutcome) -> None:
        if self._on_load is not None:
            self._on_load(outcome)

    def _warn(self, warnings: set[LogLine]) -> None:
        for warning in sorted(warnings - self._warnings):
            log.warning(warning.event, path=warning.path, reason=warning.reason)
        self._warnings = warnings

    def _next_catalog(self) -> Catalog:
        """Return the last catalog if it still holds, or else a new one."""
        problems = tuple(problem for _, problem in sorted(self._problems.items()))
        unloaded = tuple(
            Unavailable(*key, "unloaded") for key in sorted(self._listing.versions) if key.name in self._unloaded
        )
        removed = {VersionKey(m.manifest.name, m.manifest.version): m for m in self.catalog.all_versions()}
        if removed != self._models or (problems, unloaded) != (self.catalog.problems, self.catalog.unloaded):
            for key in removed.keys() - self._models.keys():
                log.info("version removed", model=key.name, version=key.number)
            self.catalog = Catalog([model for _, model in sorted(self._models.items())], problems, unloaded)
        return self.catalog


def list_repository(root: Path) -> Listing:
    """Return the folders of a repository, except hidden ones. Raises OSError if the repository cannot be read."""
    versions: dict[VersionKey, Fingerprint] = {}
    unreadable: dict[str, str] = {}
    others: set[str] = set()
    for parent in (path for path in list_folder(root) if path.is_dir()):
        try:
            folders = list_folder(parent)
        except FileNotFoundError:  # it was removed a moment ago
            continue
        except OSError as error:
            unreadable[parent.name] = read_problem(error)
            continue
        for folder in folders:
            if folder.is_dir() and VERSION.fullmatch(folder.name):
                versions[VersionKey(parent.name, int(folder.name))] = fingerprint(folder)
            elif folder.exists():  # or it was removed a moment ago
                others.add(str(folder))
    return Listing(versions, unreadable, frozenset(others))


def fingerprint(folder: Path) -> Fingerprint:
    """Return the names, sizes and times of the files under a folder, without reading them."""
    files: set[tuple[str, int, int, int]] = set()
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.stat()
            except OSError:  # a link that leads nowhere, or a file that was removed a moment ago
                files.add((str(path), -1, 0, 0))
            else:
                files.add((str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        if len(files) >= MAX_FILES:
            break
    return frozenset(files)


def has_same_content(folder: Path, manifest: Manifest) -> bool:
    """Return True if a version's files are those of a manifest: only their times changed."""
    try:
        if Manifest.read(folder) != manifest:
            return False
        check_files(folder, manifest)
    except (OSError, ValidationError, InvalidModel):
        return False
    return True
