"""Seeded noise, to demonstrate a denoiser. A sample's noise does not depend on how many samples follow it."""

from __future__ import annotations

from typing import Literal

import numpy as np

from app.arrays import Samples
from app.inputs import ValueRange

Noise = Literal["gaussian", "masking", "salt-and-pepper"]


def corrupt(samples: Samples, noise: Noise, amount: float, value_range: ValueRange, seed: int) -> Samples:
    """
    Return noisy samples, within the value range.

    `amount` is the standard deviation in units of the range's span (gaussian), or the share of numbers that are set
    to the low end (masking) or to either end (salt-and-pepper).
    Shapes: (B, *shape) -> (B, *shape)
    """
    random = np.random.default_rng(seed)
    low, high = np.float32(value_range.low), np.float32(value_range.high)
    if noise == "gaussian":
        draw = random.standard_normal(samples.shape, dtype=np.float32)
        return np.clip(samples + np.float32(amount * value_range.span) * draw, low, high)
    uniform = random.random(samples.shape, dtype=np.float32)
    if noise == "masking":
        return np.where(uniform < amount, low, samples)
    salted = np.where(uniform < amount / 2, low, samples)
    return np.where(uniform > 1 - amount / 2, high, salted)
