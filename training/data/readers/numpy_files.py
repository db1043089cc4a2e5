"""Readers of numpy's files. They never unpickle: a file that holds Python objects is refused."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from training.data.source import Source
from training.errors import DataError

READ_ERRORS = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)
"""Exceptions that numpy raises for a file that is cut short, has another format, or holds Python objects."""


def read_npy(path: Path) -> Source:
    """Return an array that is mapped from the file and not read into memory. Raises DataError."""
    try:
        return Source(str(path), np.asarray(np.lib.format.open_memmap(path, mode="r")))
    except READ_ERRORS as error:
        raise DataError(f"{path}: cannot be read as a .npy file: {error}") from error


def read_npz(path: Path, samples: str | None, label: str | None) -> Source:
    """
    Read the samples of an archive, and its labels if `label` names a member.

    Without `samples`, they are the only other member, or the one called samples or x. Raises DataError, which lists
    the members.
    """
    try:
        with path.open("rb") as file:  # numpy would leave the file open if the archive is broken
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: not a .npz archive")
            name = samples or _samples_member(path, archive.files, label)
            for member in (name, label):
                if member is not None and member not in archive.files:
                    raise DataError(f'{path}: no member "{member}" among {", ".join(archive.files)}')
            return Source(f"{path}: {name}", archive[name], None if label is None else archive[label])
    except READ_ERRORS as error:
        raise DataError(f"{path}: cannot be read as a .npz archive: {error}") from error


def _samples_member(path: Path, members: list[str], label: str | None) -> str:
    others = [member for member in members if member != label]
    for member in [others[0]] if len(others) == 1 else ["samples", "x"]:
        if member in others:
            return member
    raise DataError(
        f"{path}: data.samples must name the member that holds the samples; there are {', '.join(members) or 'none'}"
    )
