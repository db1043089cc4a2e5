"""IDX files, the format of MNIST."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.source import Source
from training.errors import DataError

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""numpy's name of each type of number, by the third byte of the file."""

GZIP_MAGIC = b"\x1f\x8b"
"""The first two bytes of a gzipped file."""


def read_idx_source(path: Path, label: str | None) -> Source:
    """Read the samples of one IDX file, and their labels from another file in its folder if `label` names one."""
    labels = None if label is None else read_idx(find_idx(path.parent, label))
    return Source(str(path), read_idx(path), labels)


def is_idx(path: Path) -> bool:
    """Return True if the file's name contains idx, or if its first four bytes are those of an IDX file."""
    if "idx" in path.name.lower():
        return True
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic[:2] == GZIP_MAGIC:
            with gzip.open(path) as unzipped:
                magic = unzipped.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in DTYPES


def find_idx(folder: Path, name: str) -> Path:
    """Return the file `name` or `name.gz` of a folder. Raises DataError if it has neither."""
    for path in existing_files(folder, name):
        return path
    raise DataError(f"{folder}: neither {name} nor {name}.gz is there")


def existing_files(folder: Path, name: str) -> list[Path]:
    """Return those of `name` and `name.gz` that are files of the folder."""
    return [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]


def read_idx(path: Path) -> npt.NDArray[Any]:
    """
    Read an IDX file, gzipped or not.

    Raises DataError if it is cut short, too long or of an unknown type.
    Source: the format's description at http://yann.lecun.com/exdb/mnist/
    """
    try:
        content = path.read_bytes()
        if content[:2] == GZIP_MAGIC:
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in DTYPES:
        raise DataError(f"{path}: not an IDX file")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError(f"{path}: the header is cut short")
    dtype = np.dtype(DTYPES[content[2]])
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", count=content[3], offset=4))
    if len(content) - header != math.prod(shape) * dtype.itemsize:
        got = (len(content) - header) / dtype.itemsize
        raise DataError(f"{path}: expected {math.prod(shape)} values for {shape}, got {got:g}")
    return np.frombuffer(content, dtype, offset=header).reshape(shape)
