"""The choice between a Bernoulli and a Gaussian likelihood."""

from __future__ import annotations

from typing import Literal

import numpy as np

from app.inputs import ImageInput
from training.config import Config, VariationalObjective
from training.data.dataset import DataSet

MAX_ROWS = 2000
"""Training images that are looked at."""
END = 0.05
"""Values nearer to black or white than this share of the range count as being at that end."""
MIN_EACH = 0.02
"""Share of the values that must be at each end."""
MIN_BOTH = 0.5
"""Share of the values that must be at either end."""


def choose_likelihood(config: Config, data: DataSet) -> tuple[Literal["bernoulli", "gaussian"], str]:
    """Return the likelihood and the reason. A Bernoulli is chosen for images whose values crowd at both ends."""
    if isinstance(config.objective, VariationalObjective) and config.objective.binarisation != "none":
        return "bernoulli", "objective.binarisation needs it"
    if not isinstance(data.input, ImageInput):
        return "gaussian", "columns of numbers have no common range"
    value_range = data.input.value_range
    chosen = np.linspace(0, len(data.train) - 1, min(len(data.train), MAX_ROWS)).astype(np.int64)
    unit = (data.train.take(chosen).in_users_units() - value_range.low) / value_range.span
    low, high = float((unit <= END).mean()), float((unit >= 1 - END).mean())
    name: Literal["bernoulli", "gaussian"] = "gaussian"
    if min(low, high) >= MIN_EACH and low + high >= MIN_BOTH:
        name = "bernoulli"
    return name, f"{low:.0%} of the values are near black, {high:.0%} near white"
