"""The model repository: folders `<name>/<version>/`, of which the whole and valid ones are served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import structlog
from pydantic import ValidationError

from app.engine.autoencoder import Autoencoder
from app.engine.golden import check_golden
from app.errors import InvalidModel, NoModels, UnknownModel, UnknownVersion
from app.manifest import MANIFEST, FileDigest, Manifest, Task

log = structlog.get_logger(__name__)

VERSION = re.compile("[1-9][0-9]{0,8}")


def load_version(folder: Path, name: str, version: int, threads: int = 1) -> Autoencoder:
    """
    The model in a version's folder, after its manifest, checksums, graphs and golden samples were checked.

    Raises InvalidModel, which says what is wrong.
    """
    try:
        manifest = Manifest.read(folder)
    except FileNotFoundError as error:
        raise InvalidModel(f"{MANIFEST} is missing") from error
    except OSError as error:
        raise InvalidModel(f"{MANIFEST} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidModel(f"{MANIFEST}: {problems}") from error
    if (manifest.name, manifest.version) != (name, version):
        raise InvalidModel(f"{MANIFEST} is of {manifest.name} version {manifest.version}, but lies in {name}/{version}")
    check_files(folder, manifest)
    try:
        model = Autoencoder.open(folder, manifest, threads)
        check_golden(model, folder)
    except InvalidModel:
        raise
    except Exception as error:  # whatever a graph or an archive leads to, the other versions are served
        raise InvalidModel(f"the model cannot be run: {type(error).__name__}: {str(error).splitlines()[:1]}") from error
    return model


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raise InvalidModel unless every file that the manifest names is there with its checksum."""
    for name, digest in manifest.files.items():
        try:
            found = FileDigest.of(folder / name)
        except (OSError, ValidationError) as error:
            raise InvalidModel(f"{name} is missing or empty") from error
        if found != digest:
            raise InvalidModel(f"{name} is not the file that the manifest names: its checksum differs")


class ModelRepository:
    """The models that are served, by name and version. The default version is the largest."""

    def __init__(self, models: dict[str, dict[int, Autoencoder]]) -> None:
        self._models = models

    @classmethod
    def load(cls, root: Path, threads: int = 1) -> ModelRepository:
        """
        Every valid version under a folder; the others are reported in the log and left out.

        Raises NoModels where none is left. Hidden folders are what an export left unfinished, and are passed over.
        """
        models: dict[str, dict[int, Autoencoder]] = {}
        for folder, name, version in candidates(root):
            try:
                models.setdefault(name, {})[version] = load_version(folder, name, version, threads)
            except InvalidModel as error:
                log.warning("version skipped", model=name, version=version, reason=str(error))
            else:
                log.info("version loaded", model=name, version=version)
        models = {name: dict(sorted(versions.items())) for name, versions in models.items() if versions}
        if not models:
            raise NoModels(
                f"no valid model in {root.resolve()}: set HOURGLASS_MODELS_DIR to a folder that holds "
                f"<name>/<version>/{MANIFEST}"
            )
        return cls(models)

    def get(self, name: str, version: int | str | None = None) -> Autoencoder:
        """A version of a model, by default the largest. Raises UnknownModel or UnknownVersion."""
        versions = self.versions(name)
        if version is None:
            return versions[max(versions)]
        if not isinstance(version, int) or version not in versions:
            raise UnknownVersion(f"the model {name!r} has no version {version}; it has {', '.join(map(str, versions))}")
        return versions[version]

    def versions(self, name: str) -> dict[int, Autoencoder]:
        """All versions of a model, the smallest first. Raises UnknownModel."""
        if name not in self._models:
            raise UnknownModel(f"there is no model {name!r}; there are {', '.join(self._models)}")
        return self._models[name]

    def all_versions(self) -> Iterator[Autoencoder]:
        """Every version of every model."""
        return (model for versions in self._models.values() for model in versions.values())

    def able_to(self, task: Task) -> list[Autoencoder]:
        """The default versions that were made for a task."""
        return [model for model in self if task in model.manifest.tasks]

    def __iter__(self) -> Iterator[Autoencoder]:
        """The default version of every model, by name."""
        return (self.get(name) for name in self._models)


def candidates(root: Path) -> Iterator[tuple[Path, str, int]]:
    """Folders that could be versions, by name; what is called otherwise is reported in the log."""
    for parent in (path for path in _entries(root) if path.is_dir()):
        for folder in _entries(parent):
            if folder.is_dir() and VERSION.fullmatch(folder.name):
                yield folder, parent.name, int(folder.name)
            else:
                log.warning("not a version: skipped", path=str(folder))


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, sorted, but for what is hidden; nothing, and a line in the log, where it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        log.warning("folder skipped", path=str(folder), reason=error.strerror)
        return []
