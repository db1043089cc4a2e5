"""The results of an autoencoder's methods that are more than one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from app.arrays import Array, Latents, Samples
from app.engine.checks import check_finite


@dataclass(frozen=True)
class Posterior:
    """An encoder's result; `logvar` is None if the latent space is deterministic. Shapes: (B, D) each."""

    mu: Latents
    logvar: Latents | None

    def sample(self, seed: int) -> Latents:
        """Return one seeded draw for each row, or the mean itself if the encoder is deterministic."""
        if self.logvar is None:
            return self.mu
        noise = np.random.default_rng(seed).standard_normal(self.mu.shape, dtype=np.float32)
        with np.errstate(over="ignore"):
            return check_finite("latents", self.mu + np.exp(np.float32(0.5) * self.logvar) * noise)


@dataclass(frozen=True)
class Reconstruction:
    """Reconstructed samples, and the mean squared error of each in squared units of the samples."""

    samples: Samples
    errors: Array


class Scored(NamedTuple):
    """The scores of samples, compared with those of the calibration rows."""

    scores: Array
    """(B,), larger for stranger samples."""
    p_values: Array
    """(B,), from 1 / (n + 1) to 1, with n calibration rows."""
    attributions: Array
    """(B, *manifest.input_shape): how much each number contributes, not negative."""
    latents: Latents
    """(B, latent_dim), NaN for most samples; or (B, 0) if the scorer does not know those of its calibration rows."""
