"""Batch size, steps, learning rate and patience, by the number of training rows."""

from __future__ import annotations

import math
from typing import Literal

Architecture = Literal["conv", "dense"]
Effort = Literal["quick", "normal", "thorough"]

BATCH_SIZES: dict[Architecture, tuple[tuple[int, int], ...]] = {
    "conv": ((400, 16), (2_000, 32), (10_000, 64), (50_000, 128)),
    "dense": ((400, 16), (1_000, 64)),
}
"""Rows up to which a batch size is used; 256 beyond. A dense network takes hardly longer for a larger batch."""
LARGEST_BATCH = 256
PASSES: dict[Architecture, int] = {"conv": 40, "dense": 80}
"""Passes over the rows, within the limits of the steps."""
STEPS: dict[Architecture, tuple[int, int]] = {"conv": (2_500, 12_000), "dense": (10_000, 30_000)}
"""Least and most steps. The floor counts steps, not epochs: an epoch of few rows is over before anything is learnt."""
EFFORTS: dict[Effort, float] = {"quick": 0.2, "normal": 1.0, "thorough": 4.0}
STEPS_PER_EPOCH = 50
"""Steps that an epoch should have at least: each ends with a validation and a checkpoint."""
RATES: dict[Architecture, float] = {"conv": 1e-3, "dense": 3e-3}
"""Learning rates at batches of RATE_BATCH rows; they grow with the square root of the batch size."""
RATE_BATCH = 64
DENOISER_STEPS = 4_000, 30_000
"""Least and most steps of the denoiser, within which it makes DENOISER_PASSES over the rows."""
DENOISER_PASSES = 8
DENOISER_ROWS, DENOISER_PIXELS = (2, 64), 2**14
"""Bounds on the images of a denoiser's step. Each pixel is an example, so large images need few."""
FOLDS, MAX_FOLD_ROWS = 5, 1_000
"""Parts for cross-validation, and the most rows for which it is made: more rows have a validation part to trust."""
PATIENCE_SHARE = 0.3
MIN_PATIENCE = 10
QUICK_PRIOR_ROWS = 20_000
"""Rows that the prior of a quick training is fitted to: so many that it is not fitted again to more."""


def choose_batch_size(rows: int, architecture: Architecture) -> int:
    """Return the rows of a step."""
    return next((size for most, size in BATCH_SIZES[architecture] if rows <= most), LARGEST_BATCH)


def choose_passes(rows: int, batch_size: int) -> int:
    """Return the passes over the rows in an epoch."""
    return math.ceil(STEPS_PER_EPOCH / math.ceil(rows / batch_size))


def choose_epochs(rows: int, batch_size: int, passes: int, architecture: Architecture, effort: Effort) -> int:
    """Return the epochs that make up the steps for these rows."""
    least, most = STEPS[architecture]
    steps = min(most, max(least, PASSES[architecture] * rows / batch_size)) * EFFORTS[effort]
    return max(1, round(steps / (passes * math.ceil(rows / batch_size))))


def choose_learning_rate(batch_size: int, architecture: Architecture) -> float:
    """Return the largest learning rate of the schedule, of two digits."""
    return float(f"{RATES[architecture] * math.sqrt(batch_size / RATE_BATCH):.1e}")


def denoiser_rows(shape: tuple[int, ...], batch_size: int) -> int:
    """Return the samples of a denoiser's step: images by their size, vectors as many as in other steps."""
    if len(shape) != 3:
        return batch_size
    least, most = DENOISER_ROWS
    return min(batch_size, max(least, min(most, DENOISER_PIXELS // math.prod(shape[1:]))))


def choose_denoiser_steps(rows: int, rows_per_step: int, effort: Effort) -> int:
    """Return the steps of the denoiser's training; a quick one has the least that makes a denoiser."""
    least, most = DENOISER_STEPS
    if effort == "quick":
        return least
    steps = min(most, max(least, math.ceil(DENOISER_PASSES * rows / rows_per_step)))
    return round(steps * EFFORTS[effort])


def choose_folds(rows: int, shape: tuple[int, ...], staged: bool) -> int:
    """Return the parts for cross-validation of so many samples; none for images, or for training in several stages."""
    return 0 if staged or len(shape) != 1 or rows > MAX_FOLD_ROWS else FOLDS


def choose_patience(epochs: int) -> int:
    """Return the validations without an improvement before training stops."""
    return max(MIN_PATIENCE, math.ceil(PATIENCE_SHARE * epochs))
