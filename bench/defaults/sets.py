"""
Data sets of 50 to 60 000 rows, grey and colour, images and tables.

Photographs and faces come with scikit-image and scikit-learn, tables with scikit-learn and from the data folder's
`adbench`, photographs of hands from its `hands`, digits from its `mnist`. The rest is made from formulas.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import skimage.data
import sklearn.datasets
from PIL import Image

Array = npt.NDArray[Any]
PHOTOGRAPHS = (
    "astronaut.png coffee.png chelsea.png motorcycle_left.png rocket.jpg ihc.png retina.jpg hubble_deep_field.jpg"
)
TEXTURES = ("brick.png", "grass.png", "gravel.png")
SHEET_TEST_ROWS = 2_000
MAX_SIDE = 600
"""Pixels a side to which larger photographs are reduced before they are cut."""


class Missing(Exception):
    """A data set that needs the data folder."""


@dataclass(frozen=True)
class DataSet:
    """A data set by name; `read` takes the data folder and returns (N, *shape)."""

    name: str
    kind: Literal["images", "table"]
    read: Callable[[Path | None], Array]
    test_rows: int | None = None
    """Rows to measure on, of a set that a formula gives as many of as are wanted; None: a tenth."""


def photographs(side: int) -> Array:
    """Cut photographs into squares. Shape: (N, side, side, 3), uint8."""
    folder = Path(skimage.data.__file__).parent
    images = [Image.open(folder / name).convert("RGB") for name in PHOTOGRAPHS.split()]
    images += [Image.fromarray(image) for image in sklearn.datasets.load_sample_images().images]
    return np.concatenate([squares(np.asarray(reduced(image)), side) for image in images])


def textures(side: int) -> Array:
    """Cut grey textures into squares. Shape: (N, side, side), uint8."""
    folder = Path(skimage.data.__file__).parent
    return np.concatenate([squares(np.asarray(Image.open(folder / name).convert("L")), side) for name in TEXTURES])


def reduced(image: Image.Image) -> Image.Image:
    """Return a photograph of at most MAX_SIDE pixels a side."""
    smaller = image.copy()
    smaller.thumbnail((MAX_SIDE, MAX_SIDE))
    return smaller


def squares(image: Array, side: int) -> Array:
    """Cut an image into squares that do not overlap."""
    rows, columns = image.shape[0] // side, image.shape[1] // side
    cut = image[: rows * side, : columns * side].reshape(rows, side, columns, side, *image.shape[2:])
    return np.ascontiguousarray(cut.swapaxes(1, 2).reshape(rows * columns, side, side, *image.shape[2:]))


def faces() -> Array:
    """Return 100 faces and 100 other patches. Shape: (200, 25, 25), uint8."""
    images = np.load(Path(skimage.data.__file__).parent / "lfw_subset.npy", allow_pickle=False)
    return np.asarray(images * 255, np.uint8)


def hands(folder: Path | None, side: int) -> Array:
    """Return photographs of hands. Shape: (800, side, side, 3), uint8."""
    paths = sorted(path for path in (needed(folder) / "hands").glob("*/*") if path.suffix.lower() == ".jpg")
    if not paths:
        raise Missing("needs the data folder's hands")
    images = [Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR) for path in paths]
    return np.stack([np.asarray(image) for image in images])


def mnist(folder: Path | None) -> Array:
    """Return handwritten digits. Shape: (60 000, 28, 28), uint8."""
    path = needed(folder) / "mnist" / "train-images-idx3-ubyte.gz"
    if not path.exists():
        raise Missing("needs the data folder's mnist")
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16).reshape(-1, 28, 28)


def needed(folder: Path | None) -> Path:
    """Return the data folder. Raises Missing."""
    if folder is None:
        raise Missing("needs --data-dir")
    return folder


def ellipses(rows: int, side: int = 28) -> Array:
    """Draw two smooth ellipses of random place, size, angle and brightness. Shape: (rows, side, side), uint8."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[0:side, 0:side] / side - 0.5
    images = np.zeros((rows, side, side))
    for _ in range(2):
        centre, radius = random.uniform(-0.25, 0.25, (2, rows, 1, 1)), random.uniform(0.08, 0.3, (2, rows, 1, 1))
        angle, brightness = random.uniform(0, np.pi, (rows, 1, 1)), random.uniform(0.3, 0.5, (rows, 1, 1))
        across = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
        along = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
        distance = (across / radius[0]) ** 2 + (along / radius[1]) ** 2
        images += brightness / (1 + np.exp(np.clip(8 * (distance - 1), -50, 50)))
    noisy = images + random.normal(0, 0.02, images.shape)
    return (np.clip(noisy, 0, 1) * 255).astype(np.uint8)


def pulses(rows: int, length: int = 64) -> Array:
    """Return two channels of damped oscillations, flattened. Shape: (rows, 2 * length), float32."""
    random = np.random.default_rng(2)
    time = np.linspace(0, 1, length)
    frequency, phase = random.uniform(2, 8, (rows, 1)), random.uniform(0, 6.28, (rows, 1))
    decay = random.uniform(0.5, 4, (rows, 1))
    first = np.exp(-decay * time) * np.sin(6.28 * frequency * time + phase)
    second = np.cumsum(first, axis=1) / 8
    samples = np.concatenate([first, second], axis=1) + random.normal(0, 0.02, (rows, 2 * length))
    return samples.astype(np.float32)


def bent_sheet(rows: int) -> Array:
    """Return 20 columns that are smooth functions of 3 hidden numbers, with noise. Shape: (rows, 20), float32."""
    random = np.random.default_rng(3)
    waves, bends = random.normal(size=(3, 20)), random.normal(0, 0.5, (3, 20))
    hidden = random.normal(size=(rows, 3))
    columns = np.sin(hidden @ waves) + 0.5 * np.square(hidden @ bends)
    return (columns + random.normal(0, 0.05, columns.shape)).astype(np.float32)


def adbench(name: str) -> Callable[[Path | None], Array]:
    """Return a reader of the columns of one of ADBench's tables."""

    def read(folder: Path | None) -> Array:
        paths = sorted((needed(folder) / "adbench").glob(f"*_{name}.npz"))
        if not paths:
            raise Missing("needs the data folder's adbench")
        with np.load(paths[0], allow_pickle=False) as arrays:
            return np.asarray(arrays["X"], np.float32)

    return read


SETS = (
    DataSet("faces-25", "images", lambda folder: faces()),
    DataSet("textures-32", "images", lambda folder: textures(32)),
    DataSet("photographs-32", "images", lambda folder: photographs(32)),
    DataSet("photographs-64", "images", lambda folder: photographs(64)),
    DataSet("hands-32", "images", lambda folder: hands(folder, 32)),
    DataSet("hands-64", "images", lambda folder: hands(folder, 64)),
    DataSet("hands-100", "images", lambda folder: hands(folder, 100)),
    DataSet("ellipses-28", "images", lambda folder: ellipses(20_000)),
    DataSet("mnist-28", "images", mnist),
    DataSet("sheet-50", "table", lambda folder: bent_sheet(50 + SHEET_TEST_ROWS), SHEET_TEST_ROWS),
    DataSet("sheet-3000", "table", lambda folder: bent_sheet(3000 + SHEET_TEST_ROWS), SHEET_TEST_ROWS),
    DataSet("pulses", "table", lambda folder: pulses(4000)),
    DataSet("cancer", "table", lambda folder: sklearn.datasets.load_breast_cancer().data.astype(np.float32)),
    *(DataSet(name, "table", adbench(name)) for name in ("glass", "WPBC", "letter", "satellite", "annthyroid")),
)
