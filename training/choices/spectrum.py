"""Principal axes of preprocessed samples, and of shifted and flipped copies of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from training.config import AugmentationConfig
from training.data.dataset import Split
from training.fitting.augmentation import augment
from training.fitting.draws import Draws
from training.networks.shortcut import PrincipalAxes
from training.preprocessing import Preprocessor

EXACT_FEATURES = 1024
"""Numbers a sample up to which the whole covariance is decomposed; for more, a randomised SVD finds the axes."""
MAX_ROWS = 20_000
"""Rows, copies included, that the axes of larger samples are computed from."""
MAX_BYTES = 2**29
"""Memory that these rows may take."""
COPIES = 6
"""Copies of each row that shifts and flips make."""
CHUNK_ROWS = 4096
MIN_VARIANCE_SHARE = 1e-6
"""Share of the largest variance up to which an axis is the rounding error of sums in float32."""
SEED = 0


def principal_axes(
    parts: Sequence[Split], preprocessing: Preprocessor, count: int, options: AugmentationConfig
) -> PrincipalAxes:
    """
    Return at most `count` principal axes of some parts, with copies if there are shifts or flips; `residual` is 0.

    There are no more axes than rows less one, or than numbers that vary.
    """
    rows = np.concatenate([_rows(part, preprocessing, options) for part in parts])
    mean = rows.mean(axis=0, dtype=np.float64)
    components, variances = _axes(rows, mean, count)
    directions, centre, sizes = (torch.from_numpy(values).float() for values in (components, mean, variances))
    return PrincipalAxes(mean=centre, components=directions, variances=sizes, residual=torch.zeros(len(mean)))


def residual(axes: PrincipalAxes, split: Split, preprocessing: Preprocessor, count: int | None = None) -> Tensor:
    """Return the mean squared error of each number, reconstructed from the first `count` axes. Shape: (F,)."""
    total = torch.zeros(len(axes.mean), dtype=torch.float64)
    components = axes.components[:count]
    for x in preprocessed(split, preprocessing):
        centred = x - axes.mean
        total += (centred - (centred @ components.T) @ components).double().square().sum(0)
    return (total / len(split)).float()


def explained(axes: PrincipalAxes, split: Split, preprocessing: Preprocessor) -> Tensor:
    """Return the share of the variance that the first 1, 2, ... axes explain. Shape: (N,)."""
    along, total = torch.zeros(len(axes.components), dtype=torch.float64), 0.0
    for x in preprocessed(split, preprocessing):
        centred = x - axes.mean
        along += (centred @ axes.components.T).double().square().sum(0)
        total += float(centred.double().square().sum())
    return (along.cumsum(0) / max(total, 1e-300)).float()


def preprocessed(split: Split, preprocessing: Preprocessor) -> Iterator[Tensor]:
    """Yield chunks of preprocessed rows, flattened. Shape: (n, F)."""
    for start in range(0, len(split), CHUNK_ROWS):
        samples = torch.from_numpy(split.take(slice(start, start + CHUNK_ROWS)).in_users_units())
        yield preprocessing(samples).flatten(1)


def _rows(split: Split, preprocessing: Preprocessor, options: AugmentationConfig) -> npt.NDArray[np.float32]:
    """Return preprocessed rows and copies: all if they are few, otherwise rows drawn with a fixed seed."""
    size = math.prod(split.samples.shape[1:])
    copies = COPIES if options.is_active else 0
    most = max(1, min(MAX_ROWS, MAX_BYTES // (4 * size)) // (1 + copies))
    if size <= EXACT_FEATURES and not copies:
        most = max(most, MAX_BYTES // (4 * size))
    if len(split) > most:
        split = split.take(np.sort(np.random.default_rng(SEED).choice(len(split), most, replace=False)))
    samples = torch.from_numpy(split.in_users_units())
    draws = Draws(SEED)
    parts = [samples, *(augment(samples, options, draws) for _ in range(copies))]
    return np.concatenate([preprocessing(part).flatten(1).numpy() for part in parts])


def _axes(
    rows: npt.NDArray[np.float32], mean: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return orthonormal components and the variances along them, largest first. Shapes: (N, F), (N,)."""
    count = min(count, len(rows) - 1, rows.shape[1])
    if count < 1:
        return np.zeros((0, rows.shape[1])), np.zeros(0)
    if rows.shape[1] <= EXACT_FEATURES:
        centred = rows - mean.astype(np.float32)
        variances, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(rows))
        components, variances = vectors.T[::-1][:count], variances[::-1][:count]
    else:
        centred = rows - mean.astype(np.float32)
        _, singular, components = randomized_svd(centred, count, n_iter=4, random_state=SEED)
        variances = np.square(singular.astype(np.float64)) / len(rows)
    kept = variances > variances[:1] * MIN_VARIANCE_SHARE
    return np.ascontiguousarray(components[kept], np.float64), np.ascontiguousarray(variances[kept], np.float64)
