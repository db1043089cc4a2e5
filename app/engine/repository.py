"""The model repository, a folder of versions `<name>/<version>/`: reading, checking and writing them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar, get_args

import structlog
from pydantic import ValidationError

from app.engine.autoencoder import Autoencoder
from app.engine.golden import check_golden
from app.engine.run_limit import RunLimit
from app.errors import InvalidModel, NoModels, RunTooLong, VersionTaken
from app.files import irregular_files, list_folder, read_problem, regular_size
from app.manifest import MANIFEST, FileDigest, Manifest
from app.places import VERSION, absence

Written = TypeVar("Written")
LoadOutcome = Literal["loaded", "refused"]
OnLoad: TypeAlias = Callable[[LoadOutcome], None]

log = structlog.get_logger(__name__)

MAX_CHECK_SECONDS = 60.0
"""Seconds that the runs of the golden samples may take."""


def load_version(folder: Path, name: str, version: int, threads: int = 1) -> Autoencoder:
    """
    Load the model in a version's folder, and check its manifest, checksums, graphs and golden samples.

    Raises InvalidModel, whose message says what is wrong.
    """
    try:
        manifest = Manifest.read(folder)
    except FileNotFoundError as error:
        raise InvalidModel(f"{MANIFEST} is missing") from error
    except OSError as error:
        raise InvalidModel(f"{MANIFEST} {read_problem(error)}") from error
    except ValidationError as error:
        raise InvalidModel(f"{MANIFEST}: {_describe(error)}") from error
    if (manifest.name, manifest.version) != (name, version):
        raise InvalidModel(f"{MANIFEST} is of {manifest.name} version {manifest.version}, but lies in {name}/{version}")
    check_files(folder, manifest)
    limit = RunLimit(MAX_CHECK_SECONDS)
    try:
        model = Autoencoder.open(folder, manifest, threads)
        limit.run(check_golden, model, folder)
    except InvalidModel:
        raise
    except RunTooLong as error:
        raise InvalidModel(f"the golden samples cannot be checked: {error}") from error
    except Exception as error:  # whatever a graph or an archive raises, the other versions must be served
        raise InvalidModel(f"the model cannot be run: {type(error).__name__}: {str(error).splitlines()[:1]}") from error
    finally:
        limit.close()
    return model


def _describe(error: ValidationError) -> str:
    """Return the problems of a manifest; if its format is unknown, only that, since its members may be unknown too."""
    for problem in error.errors():
        if problem["loc"] == ("format",):
            known = " and ".join(map(str, get_args(Manifest.model_fields["format"].annotation)))
            return f"format: this server reads formats {known}, and not {problem['input']!r}; a newer one may"
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())


def check_files(folder: Path, manifest: Manifest) -> None:
    """
    Raise InvalidModel unless every file in the manifest exists and has its size and checksum.

    Anything else in the folder must be a regular file too, since a graph may name a file of its own.
    """
    for path in irregular_files(folder):
        raise InvalidModel(f"{path.relative_to(folder)} is not a regular file")
    for name, digest in manifest.files.items():
        try:
            size = regular_size(folder / name)
            if size != digest.bytes:
                raise InvalidModel(
                    f"{name} is not the file that the manifest names: it has {size} bytes instead of {digest.bytes}"
                )
            actual = FileDigest.of(folder / name, digest.bytes)
        except FileNotFoundError as error:
            raise InvalidModel(f"{name} is missing") from error
        except OSError as error:
            raise InvalidModel(f"{name} {read_problem(error)}") from error
        if actual != digest:
            raise InvalidModel(f"{name} is not the file that the manifest names: its checksum differs")


def load_repository(root: Path, threads: int = 1) -> list[Autoencoder]:
    """
    Load every valid version under a folder, once. Log the others and leave them out. Hidden folders are unfinished.

    Raises NoModels if no version is valid.
    """
    models: list[Autoencoder] = []
    reasons: list[str] = []
    for folder, name, version in candidates(root):
        try:
            models.append(load_version(folder, name, version, threads))
        except InvalidModel as error:
            log.warning("version skipped", model=name, version=version, reason=str(error))
            reasons.append(f"{name}/{version}: {error}")
        else:
            log.info("version loaded", model=name, version=version)
    if not models:
        raise NoModels(absence(root, reasons))
    return models


def candidates(root: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield the folder, name and number of each possible version, in order of names. Log other folders."""
    for parent in (path for path in _entries(root) if path.is_dir()):
        for folder in _entries(parent):
            if folder.is_dir() and VERSION.fullmatch(folder.name):
                yield folder, parent.name, int(folder.name)
            else:
                log.warning("not a version: skipped", path=str(folder))


def _entries(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder, except hidden ones; if it cannot be read, log that and return none."""
    try:
        return list_folder(folder)
    except OSError as error:
        log.warning("folder skipped", path=str(folder), reason=read_problem(error))
        return []


def write_version(models_dir: Path, name: str, write: Callable[[Path, int], Written]) -> tuple[Path, Written]:
    """
    Write a model's next version, and return its folder and the result of `write(folder, number)`, which fills it.

    The folder is hidden while it is filled, then loaded and checked like the server does, and then renamed. An existing
    version is never touched. Raises InvalidModel, VersionTaken and whatever `write` raises; then nothing is left
    behind.
    """
    parent = models_dir / name
    version = next_version(parent)
    staging = parent / f".{version}-{os.getpid()}.partial"
    staging.mkdir(parents=True)
    try:
        written = write(staging, version)
        load_version(staging, name, version)
        target = parent / str(version)
        if target.exists():
            raise VersionTaken(f"{target} was written by another process in the meantime; try again")
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if not any(parent.iterdir()):
            parent.rmdir()
        raise
    return target, written


def next_version(parent: Path) -> int:
    """Return one more than the largest version in a model's folder."""
    versions = [int(path.name) for path in parent.glob("[1-9]*") if path.name.isdecimal()]
    return max(versions, default=0) + 1
