"""Small files of training data, and the data sets loaded from them."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.inputs import ImageInput, ValueRange, VectorInput
from training.config import DataConfig
from training.data.dataset import DataSet, Split
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


def data_of(train: np.ndarray, validation: np.ndarray | None = None) -> DataSet:
    """Return a data set of float32 images in 0 to 1, or of vectors; without validation rows, all parts are the same."""
    parts = [Split(part.astype(np.float32), None, 1.0) for part in (train, train if validation is None else validation)]
    shape = train.shape[1:]
    spec: ImageInput | VectorInput = VectorInput(shape=(math.prod(shape),))
    if len(shape) == 3:
        spec = ImageInput(shape=(shape[0], shape[1], shape[2]), value_range=ValueRange(low=0, high=1))
    return DataSet(name="rows", input=spec, classes=(), train=parts[0], validation=parts[1], test=parts[1])


def planted_rows(rows: int, deviations: Sequence[float], columns: int, noise: float = 0.0) -> np.ndarray:
    """Return rows that vary with these standard deviations along random axes, and with noise along all."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(columns, len(deviations))))[0].T
    planted = random.normal(size=(rows, len(deviations))) * np.array(deviations)
    rows_of_axes: np.ndarray = planted @ axes + noise * random.normal(size=(rows, columns))
    return rows_of_axes


def one_sided_images(rows: int, side: int = 12) -> np.ndarray:
    """Return images of one channel with random stripes in the left half only: all look left."""
    random = np.random.default_rng(0)
    images = np.zeros((rows, 1, side, side))
    images[:, 0, :, : side // 2] = random.random((rows, side, 1))
    return images
