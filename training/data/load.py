"""Load the data set that a configuration names: one known by its name, or a file or a folder."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.prepare import prepare
from training.data.readers.idx import is_idx, read_idx_source
from training.data.readers.images.read import read_images
from training.data.readers.mnist import find_mnist, holds_mnist, read_mnist
from training.data.readers.numpy_files import read_npy, read_npz
from training.data.source import Source, arrange_axes, with_test_part
from training.data.tables.matching import same_columns
from training.data.tables.text import is_text_table, other_format
from training.errors import DataError

PARQUET_SUFFIXES = (".parquet", ".pq")
TABLE_OPTIONS = ("columns", "drop", "missing", "one_hot")
TEXT_OPTIONS = ("separator", "decimal", "encoding", "header")
IMAGE_OPTIONS = ("image_size", "colour", "background", "bits", "parts")
READER_OPTIONS = ("samples", "label", *IMAGE_OPTIONS, *TABLE_OPTIONS, *TEXT_OPTIONS)
"""Members of DataConfig that only some readers use."""


def load_data(config: DataConfig, data_dir: Path | None, seed: int) -> DataSet:
    """
    Load the data set that a configuration names, and split it with the seed.

    Raises DataError, with the file, and with the row if one row is at fault.
    """
    if config.name:
        if config.test_path:
            raise DataError(f"{config.name}: the data have a test part of their own; leave out --test")
        _refuse_unused_options(config, config.name)
        source = read_mnist(find_mnist(data_dir)) if config.name == "mnist" else _read_digits()
        return prepare(config.name, arrange_axes(source, config.kind), config, seed)
    if config.path is None:
        raise DataError("the configuration names no data set; name a file or a folder with --data PATH")
    path = find_path(config.path, data_dir)
    source = _read(path, config)
    if config.test_path is not None:
        test_path = _find_test_path(config.test_path, data_dir)
        alike = config
        if test_path.is_dir():
            alike = _like(source, config)
        elif is_table(test_path):
            alike = same_columns(config, source)
        source = with_test_part(source, _read(test_path, alike))
    return prepare(name_of(path), arrange_axes(source, config.kind), config, seed)


def find_path(path: str, data_dir: Path | None) -> Path:
    """Return a file or folder: the path as it is, or inside the data folder. Raises DataError."""
    plain = Path(path).expanduser()
    candidates = [plain] if data_dir is None else [plain, data_dir / plain]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise DataError(f"no such file or folder: {' or '.join(map(str, candidates))}")


def _find_test_path(path: str, data_dir: Path | None) -> Path:
    try:
        return find_path(path, data_dir)
    except DataError as error:
        if re.fullmatch(r"0?\.\d+", path):
            raise DataError(f"--test names a file or a folder; --set data.test={path} is the share of rows") from error
        raise


def read_source(path: Path, config: DataConfig) -> Source:
    """Read a file or a folder, with the axes of its samples arranged. Raises DataError."""
    return arrange_axes(_read(path, config), config.kind)


def is_table(path: Path) -> bool:
    """Return whether a file's name is that of a table in text or Parquet."""
    return is_text_table(path) or path.suffix.lower() in PARQUET_SUFFIXES


def _read(path: Path, config: DataConfig) -> Source:
    return _read_folder(path, config) if path.is_dir() else _read_file(path, config)


def _like(source: Source, config: DataConfig) -> DataConfig:
    """Return the configuration that reads other image files in the size, the colours and the depth of these."""
    if not source.files:
        return config
    _, channels, height, width = source.samples.shape
    has_levels = source.pixels.bits == 8 or source.pixels.levels is not None
    return config.model_copy(
        update={
            "image_size": (height, width),
            "colour": "grey" if channels == 1 else "rgb",
            "bits": source.pixels.bits if has_levels else None,
        }
    )


def _read_folder(path: Path, config: DataConfig) -> Source:
    if holds_mnist(path):
        _refuse_unused_options(config, str(path))
        return read_mnist(path)
    _refuse_unused_options(config, str(path), *IMAGE_OPTIONS)
    return read_images(path, config)


def _read_file(path: Path, config: DataConfig) -> Source:
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    match path.suffix.lower():
        case ".npy":
            _refuse_unused_options(config, str(path))
            return read_npy(path)
        case ".npz":
            _refuse_unused_options(config, str(path), "samples", "label")
            return read_npz(path, config.samples, config.label)
        case suffix if suffix in PARQUET_SUFFIXES:
            from training.data.readers.tables import read_parquet  # pyarrow is slow to import

            _refuse_unused_options(config, str(path), "label", *TABLE_OPTIONS)
            return read_parquet(path, config.label, config)
    if is_idx(path):
        _refuse_unused_options(config, str(path), "label")
        return read_idx_source(path, config.label)
    if is_text_table(path):
        from training.data.readers.tables import read_csv

        _refuse_unused_options(config, str(path), "label", *TABLE_OPTIONS, *TEXT_OPTIONS)
        return read_csv(path, config.label, config)
    with path.open("rb") as file:
        other = other_format(file.read(32))
    raise DataError(
        f"{path}: expected a .npy, .npz, .csv, .tsv, .txt, .parquet or IDX file, or a folder of images"
        + (f", got {other}" if other else "")
    )


def _read_digits() -> Source:
    """Return scikit-learn's 8x8 digits, grey levels 0 to 16; every fifth row belongs to the test part."""
    from sklearn.datasets import load_digits  # the import takes a second that other data need not pay

    bunch = load_digits()
    is_test = np.arange(len(bunch.images)) % 5 == 4
    train, test = (
        Source("digits", bunch.images[rows].astype(np.float32), bunch.target[rows], "image", value_range=(0, 16))
        for rows in (~is_test, is_test)
    )
    return replace(train, test=test)


def _refuse_unused_options(config: DataConfig, origin: str, *used: str) -> None:
    """Raise DataError if an option is set that the reader does not use."""
    for option in READER_OPTIONS:
        if option not in used and getattr(config, option) != DataConfig.model_fields[option].default:
            flag = f"--set data.{option}" if option in ("colour", "bits", "parts") else f"--{option.replace('_', '-')}"
            raise DataError(f"{origin}: {flag} has no meaning for this kind of data")


def name_of(path: Path) -> str:
    """Return `faces` for a folder, `people` for people.csv, `images-idx3-ubyte` for images-idx3-ubyte.gz."""
    path = path.resolve()
    return path.name if path.is_dir() else path.name.removesuffix(".gz").rpartition(".")[0] or path.name
