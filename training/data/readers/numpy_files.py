"""Readers of numpy's files. They never unpickle: a file that holds Python objects is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.readers.members import Part, find_labels, find_parts, find_samples
from training.data.source import Source
from training.errors import DataError

MAGIC = b"\x93NUMPY"
"""The first bytes of a .npy file."""
MAX_LISTED_MEMBERS = 20
"""Members of an archive that a message lists."""


def read_npy(path: Path) -> Source:
    """Return an array that is mapped from the file and not read into memory. Raises DataError."""
    with _broken_files_named(path, ".npy file"):
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise DataError(f"{path}: not a .npy file")
        return Source(str(path), np.asarray(np.lib.format.open_memmap(path, mode="r")))


def read_npz(path: Path, samples: str | None, label: str | None) -> Source:
    """
    Read the samples of an archive, and its labels if `label` names a member.

    Members such as `train_images`, `val_images` and `test_images` are the parts that they are, and so are their labels,
    unless `samples` names one member. Without parts and `samples`, the samples are the only other member, or the one
    called samples, x or the like. Raises DataError, which lists the members.
    """
    with _broken_files_named(path, ".npz archive"), path.open("rb") as file:  # numpy leaves broken files open
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: not a .npz archive")
        parts = {} if samples else find_parts(archive.files)
        if parts:
            return _read_parts(path, archive, parts, label)
        name = samples or find_samples(archive.files, label)
        if name is None:
            raise DataError(
                f"{path}: --samples must name the member that holds the samples; there are {_list(archive)}"
            )
        for member in (name, label):
            if member is not None and member not in archive.files:
                raise DataError(f'{path}: no member "{member}" among {_list(archive)}')
        labels = None if label is None else archive[label]
        return Source(f"{path}: {name}", archive[name], labels, notes=_left_out(archive, {name, label}))


def _read_parts(path: Path, archive: Mapping[str, Any], parts: Mapping[Part, str], label: str | None) -> Source:
    sources: dict[Part, Source] = {}
    used: set[str | None] = set(parts.values())
    for part, member in parts.items():
        samples = archive[member]
        labels_name = find_labels(list(archive), part, label)
        if labels_name is None and label is not None and part == "train":
            raise DataError(f'{path}: no member "{label}" among {_list(archive)}')
        labels = None if labels_name is None else archive[labels_name]
        if labels is not None and (label or _are_labels(labels, len(samples))):
            used.add(labels_name)
        else:
            labels = None
        sources[part] = Source(f"{path}: {member}", samples, labels)
    found = ", ".join(f"{part} from {member}" for part, member in parts.items())
    notes = {"parts": found, **_left_out(archive, used)}
    return replace(sources["train"], validation=sources.get("validation"), test=sources.get("test"), notes=notes)


def _are_labels(labels: npt.NDArray[Any], rows: int) -> bool:
    return labels.shape in ((rows,), (rows, 1)) and labels.dtype.kind in "iubUS"


def _left_out(archive: Mapping[str, Any], used: set[str | None]) -> dict[str, str]:
    """Return a line of the findings that names the members that nothing was read from."""
    others = [member for member in archive if member not in used]
    return {"left out": _list(others)} if others else {}


def _list(members: Any) -> str:
    names = list(members)
    more = f" and {len(names) - MAX_LISTED_MEMBERS} more" if len(names) > MAX_LISTED_MEMBERS else ""
    return ", ".join(names[:MAX_LISTED_MEMBERS]) + more or "none"


@contextmanager
def _broken_files_named(path: Path, kind: str) -> Iterator[None]:
    """Raise DataError in place of numpy's and zipfile's errors, which are of many types for files that are broken."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"{path}: cannot be read as a {kind}: {' '.join(str(error).split())}") from error
