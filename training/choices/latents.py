"""The number of latents, by the spectrum of the data."""

from __future__ import annotations

import math

from training.choices.augmentation import NONE
from training.choices.spectrum import explained, principal_axes
from training.data.dataset import DataSet
from training.preprocessing import Preprocessor

EXPLAINED = 0.95
"""Share of the variance of the validation part that the principal components explain."""
MIN_LATENTS = 2
MAX_LATENTS = {"conv": 64, "dense": 32}
ROWS_PER_LATENT = 5
"""Training rows for each latent: fewer do not determine an axis."""


def choose_latent_dim(data: DataSet, preprocessing: Preprocessor, architecture: str) -> tuple[int, str]:
    """Return the number of latents and the reason."""
    size = math.prod(data.input.shape)
    most = max(1, min(MAX_LATENTS[architecture], size - 1, len(data.train) // ROWS_PER_LATENT))
    least = min(MIN_LATENTS, most)
    axes = principal_axes([data.train], preprocessing, most, NONE)
    shares = explained(axes, data.validation, preprocessing)
    enough = int((shares < EXPLAINED).sum()) + 1
    count = max(least, min(most, enough))
    share = float(shares[min(count, len(shares)) - 1]) if len(shares) else 1.0
    return count, f"that many principal components explain {share:.0%} of the variance of the validation part"
