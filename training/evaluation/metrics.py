"""Errors of outputs against targets: one number per sample, and means over samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from app.arrays import Array
from training.errors import DataError

Doubles = npt.NDArray[np.float64]

EPSILON = 1e-6
"""Least distance of a probability from 0 and 1: a certain but wrong pixel costs 13.8 nats."""
MAX_WINDOW_SIDE = 7
"""Side in pixels of the square that structural similarity is computed over; smaller for smaller images."""
MAX_BLOCK_NUMBERS = 2**20
"""Numbers held in double precision at a time."""


def mse(output: Array, target: Array) -> float:
    """Return the mean squared error over all numbers."""
    return float(squared_errors(output, target).mean())


def psnr(output: Array, target: Array) -> float:
    """Return the peak signal-to-noise ratio in dB for a peak of 1, as the mean of each sample's own ratio."""
    return float(psnr_of(squared_errors(output, target)).mean())


def ssim(output: Array, target: Array) -> float:
    """Return the mean structural similarity of images in [0, 1]."""
    return float(similarities(output, target).mean())


def bce(output: Array, target: Array, margin: float = EPSILON) -> float:
    """Return the mean cross-entropy in nats per number."""
    return float(cross_entropy(output, target, margin).mean()) / float(np.prod(target.shape[1:]))


def squared_errors(output: Array, target: Array) -> Doubles:
    """Return the mean squared error of each sample. Shapes: (N, *shape) and (N, *shape) -> (N,)."""

    def errors(a: Array, b: Array) -> Doubles:
        return np.asarray(np.square(a - b).reshape(len(b), -1).mean(axis=1, dtype=np.float64))

    return _in_blocks(errors, output, target)


def psnr_of(errors: Doubles) -> Doubles:
    """Convert mean squared errors to PSNR in dB for a peak of 1, at most 100. Shapes: (N,) -> (N,)."""
    return -10 * np.log10(np.maximum(errors, 1e-10))


def window_of(shape: tuple[int, ...]) -> int | None:
    """Return the side of the window: MAX_WINDOW_SIDE or the largest odd number that fits; None below 3."""
    side = min(MAX_WINDOW_SIDE, *shape[-2:])
    side -= 1 - side % 2
    return side if side >= 3 else None


def similarities(output: Array, target: Array) -> Doubles:
    """
    Return the structural similarity of each image in [0, 1], as the mean over its channels.

    Shapes: (N, C, H, W) and (N, C, H, W) -> (N,)
    Source: Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", with a uniform
    window, sample covariances and without the border, like skimage.metrics.structural_similarity for data_range 1,
    but for many images at once.
    """
    side = window_of(target.shape)
    if side is None:
        raise ValueError(f"expected images of at least 3 x 3 pixels, got {target.shape[-2:]}")
    size, border, sample = (1, 1, side, side), side // 2, side**2 / (side**2 - 1)

    def structure(a: Array, b: Array) -> Doubles:
        x, y = a.astype(np.float64), b.astype(np.float64)
        mean_x, mean_y = uniform_filter(x, size), uniform_filter(y, size)
        var_x = sample * (uniform_filter(x * x, size) - mean_x**2)
        var_y = sample * (uniform_filter(y * y, size) - mean_y**2)
        covariance = sample * (uniform_filter(x * y, size) - mean_x * mean_y)
        luminance = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
        contrast = (2 * covariance + 0.03**2) / (var_x + var_y + 0.03**2)
        inner = (luminance * contrast)[:, :, border:-border, border:-border]
        return np.asarray(inner.mean(axis=(1, 2, 3)), np.float64)

    return _in_blocks(structure, output, target)


def cross_entropy(output: Array, target: Array, margin: float = EPSILON) -> Doubles:
    """
    Return the Bernoulli cross-entropy in nats per sample; outputs are clipped to [margin, 1 - margin].

    Shapes: (N, *shape) and (N, *shape) -> (N,)
    Raises DataError if a target lies outside [0, 1], where a Bernoulli has no density.
    """
    if target.min() < -EPSILON or target.max() > 1 + EPSILON:
        raise DataError(
            f"the cross-entropy of a Bernoulli likelihood: expected preprocessed values in [0, 1], "
            f"got {target.min():g} to {target.max():g}"
        )

    def nats(a: Array, b: Array) -> Doubles:
        p, x = np.clip(a.astype(np.float64), margin, 1 - margin), np.clip(b.astype(np.float64), 0, 1)
        return np.asarray(-(x * np.log(p) + (1 - x) * np.log1p(-p)).reshape(len(b), -1).sum(axis=1), np.float64)

    return _in_blocks(nats, output, target)


class RSquared:
    """
    The share of each column's variance that is explained, 1 - residual / total, over rows added in parts.

    The means of the parts are merged (Chan et al.), since a difference of large sums would lose digits.
    """

    def __init__(self, columns: int) -> None:
        self._count = 0
        self._mean, self._total, self._residual = np.zeros((3, columns))

    def add(self, output: Array, target: Array) -> None:
        """Add rows. Shapes: (n, *shape) and (n, *shape)."""
        x, y = (array.reshape(len(target), -1).astype(np.float64) for array in (target, output))
        mean = x.mean(axis=0)
        shift, count = mean - self._mean, self._count + len(x)
        self._total += np.square(x - mean).sum(axis=0) + np.square(shift) * self._count * len(x) / count
        self._mean += shift * len(x) / count
        self._residual += np.square(y - x).sum(axis=0)
        self._count = count

    def mean(self) -> float:
        """Return the mean over the columns that vary, or 0 if none varies."""
        varies = self._total > 1e-24 * self._count * np.square(self._mean)  # a constant leaves rounding errors
        return float((1 - self._residual[varies] / self._total[varies]).mean()) if varies.any() else 0.0


def _in_blocks(measure: Callable[[Array, Array], Doubles], output: Array, target: Array) -> Doubles:
    return np.concatenate([measure(output[rows], target[rows]) for rows in _blocks(target)])


def _blocks(samples: Array) -> Iterator[slice]:
    rows = max(1, MAX_BLOCK_NUMBERS // int(np.prod(samples.shape[1:])))
    return (slice(start, start + rows) for start in range(0, len(samples), rows))
