"""Small files of training data, and the data sets loaded from them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data


def random_images(rows: int = 20, *shape: int, dtype: Any = np.uint8) -> np.ndarray:
    """Return random values from 0 to 255, 9x8 grey images unless a shape is given."""
    return np.random.default_rng(0).integers(0, 256, (rows, *(shape or (9, 8)))).astype(dtype)


def load_array(folder: Path, array: np.ndarray, **options: Any) -> DataSet:
    """Write an array to `stack.npy` and load it."""
    np.save(folder / "stack.npy", array)
    return load_data(DataConfig(path=str(folder / "stack.npy"), **options), None, seed=0)


def rows_of_parts(data: DataSet) -> list[set[bytes]]:
    """Return the stored samples of the training, the validation and the test part."""
    return [{sample.tobytes() for sample in part.samples} for part in (data.train, data.validation, data.test)]


def all_rows(data: DataSet) -> set[bytes]:
    """Return the stored samples of all parts."""
    return set.union(*rows_of_parts(data))


def idx_file(array: np.ndarray) -> bytes:
    """Return an IDX file of unsigned bytes."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
