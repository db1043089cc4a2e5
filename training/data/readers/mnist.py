"""MNIST: its four IDX files, found in a folder or downloaded."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from training.data.readers.idx import existing_files, find_idx, read_idx
from training.data.source import Source
from training.errors import DataError

MD5_SUMS = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""The names of the four files, and the MD5 sums of their gzipped originals."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
"""Base addresses of downloads, in the order in which they are tried."""


def read_mnist(folder: Path) -> Source:
    """Read the four files, gzipped or not. Raises DataError, which names all that are missing or broken."""
    arrays, problems = {}, []
    for name in MD5_SUMS:
        try:
            arrays[name] = read_idx(find_idx(folder, name))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("; ".join(problems))
    parts = []
    for part in ("train", "t10k"):
        images, labels = arrays[f"{part}-images-idx3-ubyte"], arrays[f"{part}-labels-idx1-ubyte"]
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(f"{folder}: {part}: images {images.shape} and labels {labels.shape} do not fit")
        parts.append(Source(f"{folder}: {part}", images, labels))
    return replace(parts[0], test=parts[1])


def holds_mnist(folder: Path) -> bool:
    """Return True if any of the four files is in the folder: then the other three are expected, too."""
    return any(existing_files(folder, name) for name in MD5_SUMS)


def find_mnist(data_dir: Path | None) -> Path:
    """
    Return the folder of the four files, after downloading those that are missing.

    An incomplete data folder is returned as it is, so that reading it names the missing file. An incomplete `mnist`
    folder inside it is one of our downloads, and is completed. Raises DataError if no mirror can be reached.
    """
    if data_dir is None:
        return download_mnist(None)
    if holds_mnist(data_dir):
        return data_dir
    if all(existing_files(data_dir / "mnist", name) for name in MD5_SUMS):
        return data_dir / "mnist"
    return download_mnist(data_dir / "mnist")


def download_mnist(folder: Path | None, mirrors: tuple[str, ...] = MIRRORS) -> Path:
    """
    Download the four files into a folder, or into the user's cache, and return the folder.

    Shows a progress bar, checks the MD5 sums, and keeps files that are there already. Raises DataError if no mirror
    can be reached.
    """
    import pooch

    folder = folder or Path(os.environ.get("HOURGLASS_CACHE_DIR") or pooch.os_cache("hourglass")) / "mnist"
    pooch.get_logger().setLevel("ERROR")
    for name, md5 in MD5_SUMS.items():
        failures = []
        for mirror in mirrors:
            try:
                pooch.retrieve(f"{mirror}{name}.gz", f"md5:{md5}", fname=f"{name}.gz", path=folder, progressbar=True)
                break
            except (OSError, ValueError) as error:  # no network; a checksum that differs
                failures.append(f"{mirror}: {type(error).__name__}")
        else:
            raise DataError(
                f"{name}.gz could not be downloaded ({', '.join(failures)}); "
                f"put the four MNIST files into a folder and name it with --data-dir or HOURGLASS_DATA_DIR"
            )
    return folder
