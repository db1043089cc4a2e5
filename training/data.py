"""Data sets, in memory and as they came: a uint8 image stays uint8 until its batch is taken."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.manifest import ImageInput, ValueRange
from training.config import DataConfig
from training.errors import DataError

Array = npt.NDArray[np.float32]

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


@dataclass(frozen=True)
class Split:
    """Rows of a data set, as stored: samples (N, *input_shape) and labels (N,)."""

    samples: npt.NDArray[np.uint8] | Array
    labels: npt.NDArray[np.int64]
    unit: float
    """What one stored unit is in the user's units: 1/255 for 8-bit images, which stand for [0, 1]."""

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, rows: npt.NDArray[np.int64] | slice) -> Split:
        """Some of the rows."""
        return Split(self.samples[rows], self.labels[rows], self.unit)

    def in_users_units(self) -> Array:
        """All samples, float32."""
        return self.samples.astype(np.float32) * np.float32(self.unit)


@dataclass(frozen=True)
class DataSet:
    """Three disjoint parts, and what one sample is."""

    name: str
    input: ImageInput
    train: Split
    validation: Split
    test: Split

    def fingerprint(self) -> str:
        """SHA-256 over the stored samples and labels of all parts."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            digest.update(np.ascontiguousarray(split.samples).tobytes())
            digest.update(np.ascontiguousarray(split.labels).tobytes())
        return digest.hexdigest()


def load_data(config: DataConfig, data_dir: Path | None, seed: int) -> DataSet:
    """
    The data set that a configuration names; its validation rows are drawn from the training part with the seed.

    Raises DataError.
    """
    match config.name:
        case "mnist":
            image, train, test = _mnist(data_dir)
        case "digits":
            image, train, test = _digits()
    order = np.random.default_rng(seed).permutation(len(train))
    held_out = max(1, round(config.validation * len(train)))
    if held_out >= len(train):
        raise DataError(f"{len(train)} training rows leave none to train on after validation")
    return DataSet(
        name=config.name,
        input=image,
        train=train.take(np.sort(order[held_out:])),
        validation=train.take(np.sort(order[:held_out])),
        test=test,
    )


def _digits() -> tuple[ImageInput, Split, Split]:
    """scikit-learn's bundled 8x8 digits, grey levels 0 to 16: every fifth row is the test set."""
    from sklearn.datasets import load_digits  # the import takes a second that MNIST need not pay

    bunch = load_digits()
    samples = bunch.images.astype(np.float32)[:, None]
    labels = bunch.target.astype(np.int64)
    image = ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=16))
    test = np.arange(len(samples)) % 5 == 4
    return image, Split(samples[~test], labels[~test], 1.0), Split(samples[test], labels[test], 1.0)


def _mnist(data_dir: Path | None) -> tuple[ImageInput, Split, Split]:
    """Four IDX files, gzipped or not, from `data_dir` or its folder `mnist`; downloaded once where missing."""
    folder = _mnist_folder(data_dir)
    arrays = {stem: read_idx(find_idx(folder, stem)) for stem in MNIST_FILES}
    splits = []
    for part in ("train", "t10k"):
        images, labels = arrays[f"{part}-images-idx3-ubyte"], arrays[f"{part}-labels-idx1-ubyte"]
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DataError(f"{folder}: {part}: images {images.shape} and labels {labels.shape} do not fit")
        splits.append(Split(images[:, None], labels.astype(np.int64), 1 / 255))
    train, test = splits
    if train.samples.shape[1:] != test.samples.shape[1:]:
        raise DataError(f"{folder}: training and test images differ in size")
    _, height, width = train.samples.shape[1:]
    return ImageInput(shape=(1, height, width), value_range=ValueRange(low=0, high=1)), train, test


def find_idx(folder: Path, stem: str) -> Path:
    """The file `stem` or `stem.gz`. Raises DataError."""
    for path in _candidates(folder, stem):
        return path
    raise DataError(f"{folder}: neither {stem} nor {stem}.gz is there")


def _candidates(folder: Path, stem: str) -> list[Path]:
    return [path for path in (folder / stem, folder / f"{stem}.gz") if path.is_file()]


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """
    An IDX file of unsigned bytes, gzipped or not.

    Raises DataError when it is cut short, too long or of another type.
    Source: the format's description at http://yann.lecun.com/exdb/mnist/
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path}: not an IDX file of unsigned bytes")
    header = 4 + 4 * content[3]
    if len(content) < header:
        raise DataError(f"{path}: the header is cut short")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", count=content[3], offset=4))
    if len(content) - header != math.prod(shape):
        raise DataError(f"{path}: expected {math.prod(shape)} values for {shape}, got {len(content) - header}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _mnist_folder(data_dir: Path | None) -> Path:
    """Where the files are; where downloads go, all four are there or the download goes on."""
    if data_dir is None:
        return download_mnist(None)
    there = [any(_candidates(data_dir, stem)) for stem in MNIST_FILES]
    if any(there):
        return data_dir
    if all(any(_candidates(data_dir / "mnist", stem)) for stem in MNIST_FILES):
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
