"""
Data sets from files: read, checked, split and described.

    dataset.py    what comes out: Split, DataSet
    source.py     what a reader hands over: Source
    idx.py, arrays.py, tables.py, images.py, digits.py    a reader for each kind of file
    survey.py, split.py, labels.py, findings.py           what is done with any of them, in assembly.py
"""

from __future__ import annotations

from pathlib import Path

from training.config import DataConfig
from training.data.arrays import read_npy, read_npz
from training.data.assembly import assemble
from training.data.dataset import Array, DataSet, Split
from training.data.digits import read_digits
from training.data.findings import Findings
from training.data.idx import find_mnist, holds_mnist, is_idx, read_idx_file, read_mnist
from training.data.images import read_images
from training.data.source import Source, arrange
from training.errors import DataError

__all__ = ["Array", "DataSet", "Findings", "Split", "find_path", "holds_mnist", "load_data"]

OPTIONS = ("samples", "label", "image_size", "colour")
"""Members of DataConfig that only some kinds of files have a use for."""


def load_data(config: DataConfig, data_dir: Path | None, seed: int) -> DataSet:
    """
    The data set that a configuration names, split with the seed.

    Raises DataError, with the file and the row where there is one.
    """
    if config.name:
        _refuse_options(config, config.name)
        source = read_mnist(find_mnist(data_dir)) if config.name == "mnist" else read_digits()
        return assemble(config.name, arrange(source, config.kind), config, seed)
    if config.path is None:
        raise DataError("the configuration names no data set; name a file or a folder with --data PATH")
    path = find_path(config.path, data_dir)
    return assemble(_stem(path), arrange(_read(path, config), config.kind), config, seed)


def find_path(path: str, data_dir: Path | None) -> Path:
    """A file or folder as it is named, or in the data folder. Raises DataError."""
    named = Path(path).expanduser()
    places = [named] if data_dir is None else [named, data_dir / named]
    for place in places:
        if place.exists():
            return place
    raise DataError(f"no such file or folder: {' or '.join(map(str, places))}")


def _read(path: Path, config: DataConfig) -> Source:
    if path.is_dir():
        if holds_mnist(path):
            _refuse_options(config, str(path))
            return read_mnist(path)
        _refuse_options(config, str(path), "image_size", "colour")
        return read_images(path, config.image_size, config.colour)
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    match path.suffix.lower():
        case ".npy":
            _refuse_options(config, str(path))
            return read_npy(path)
        case ".npz":
            _refuse_options(config, str(path), "samples", "label")
            return read_npz(path, config.samples, config.label)
        case ".csv" | ".parquet" as suffix:
            from training.data.tables import read_csv, read_parquet  # pyarrow is slow to import

            _refuse_options(config, str(path), "label")
            return (read_csv if suffix == ".csv" else read_parquet)(path, config.label)
    if is_idx(path):
        _refuse_options(config, str(path), "label")
        return read_idx_file(path, config.label)
    raise DataError(f"{path}: expected a .npy, .npz, .csv, .parquet or IDX file, or a folder of images")


def _refuse_options(config: DataConfig, origin: str, *taken: str) -> None:
    """Raise DataError for an option that would have no effect."""
    for option in OPTIONS:
        if option not in taken and getattr(config, option) is not None:
            raise DataError(f"{origin}: data.{option} has no meaning for this kind of data")


def _stem(path: Path) -> str:
    """`faces` of a folder, `people` of people.csv, `images-idx3-ubyte` of images-idx3-ubyte.gz."""
    path = path.resolve()
    return path.name if path.is_dir() else path.stem
