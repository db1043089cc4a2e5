"""IDX files, MNIST's four of them, and how these are downloaded."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.source import Source
from training.errors import DataError

MNIST_FILES = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""The four files and the MD5 sums of their gzipped originals."""

MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""numpy's name of each type that the third byte of an IDX file can stand for."""


def read_idx_file(path: Path, label: str | None) -> Source:
    """One IDX file, and the labels of another one beside it."""
    labels = None if label is None else read_idx(find_idx(path.parent, label))
    return Source(str(path), read_idx(path), labels)


def read_mnist(folder: Path) -> Source:
    """MNIST's four files, gzipped or not. Raises DataError."""
    arrays = {stem: read_idx(find_idx(folder, stem)) for stem in MNIST_FILES}
    parts = []
    for part in ("train", "t10k"):
        images, labels = arrays[f"{part}-images-idx3-ubyte"], arrays[f"{part}-labels-idx1-ubyte"]
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(f"{folder}: {part}: images {images.shape} and labels {labels.shape} do not fit")
        parts.append(Source(f"{folder}: {part}", images, labels))
    return replace(parts[0], test=parts[1])


def holds_mnist(folder: Path) -> bool:
    """Any of the four files is there: then the others are expected too."""
    return any(_candidates(folder, stem) for stem in MNIST_FILES)


def is_idx(path: Path) -> bool:
    """By the name, or by the first four bytes where the name says nothing."""
    if "idx" in path.name.lower():
        return True
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(path) as unzipped:
                magic = unzipped.read(4)
    except (OSError, EOFError, zlib.error):
        return False
    return len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in TYPES


def find_idx(folder: Path, stem: str) -> Path:
    """The file `stem` or `stem.gz`. Raises DataError."""
    for path in _candidates(folder, stem):
        return path
    raise DataError(f"{folder}: neither {stem} nor {stem}.gz is there")


def _candidates(folder: Path, stem: str) -> list[Path]:
    return [path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()]


def read_idx(path: Path) -> npt.NDArray[Any]:
    """
    An IDX file, gzipped or not.

    Raises DataError when it is cut short, too long or of an unknown type.
    Source: the format's description at http://yann.lecun.com/exdb/mnist/
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(f"{path}: not an IDX file")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError(f"{path}: the header is cut short")
    dtype = np.dtype(TYPES[content[2]])
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", count=content[3], offset=4))
    if len(content) - header != math.prod(shape) * dtype.itemsize:
        got = (len(content) - header) / dtype.itemsize
        raise DataError(f"{path}: expected {math.prod(shape)} values for {shape}, got {got:g}")
    return np.frombuffer(content, dtype, offset=header).reshape(shape)


def find_mnist(data_dir: Path | None) -> Path:
    """Where the files are; where downloads go, all four are there or the download goes on."""
    if data_dir is None:
        return download_mnist(None)
    if holds_mnist(data_dir):
        return data_dir
    if all(_candidates(data_dir / "mnist", stem) for stem in MNIST_FILES):
        return data_dir / "mnist"
    return download_mnist(data_dir / "mnist")


def download_mnist(folder: Path | None, mirrors: tuple[str, ...] = MNIST_MIRRORS) -> Path:
    """
    Fetch the four files, with checksums and a progress bar, into a folder or the user's cache; what is there stays.

    Raises DataError when no mirror can be reached.
    """
    import pooch

    folder = folder or Path(os.environ.get("HOURGLASS_CACHE_DIR") or pooch.os_cache("hourglass")) / "mnist"
    pooch.get_logger().setLevel("ERROR")
    for stem, md5 in MNIST_FILES.items():
        failures = []
        for mirror in mirrors:
            try:
                pooch.retrieve(f"{mirror}{stem}.gz", f"md5:{md5}", fname=f"{stem}.gz", path=folder, progressbar=True)
                break
            except (OSError, ValueError) as error:  # no network; a checksum that differs
                failures.append(f"{mirror}: {type(error).__name__}")
        else:
            raise DataError(
                f"{stem}.gz could not be downloaded ({', '.join(failures)}); "
                f"put the four MNIST files into a folder and name it with --data-dir or HOURGLASS_DATA_DIR"
            )
    return folder
