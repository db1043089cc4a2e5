"""Corruption of inputs in training. The served demonstration has its own, in numpy: `app.engine.corruption`."""

from __future__ import annotations

import torch
from torch import Tensor

from training.config import NoiseKind
from training.fitting.draws import Draws

Interval = tuple[float, float]


def corrupt(x: Tensor, noise: NoiseKind, amount: Interval, unit_interval: bool, draws: Draws) -> Tensor:
    """
    Noisy x; each sample's amount is uniform in the interval.

    gaussian: x plus noise of that standard deviation; masking: that share of the numbers becomes 0, which is black or
    a standardised column's mean; salt-and-pepper: it becomes 0 or 1. With `unit_interval` the result is clipped to
    [0, 1], since what the service takes lies in the value range too.
    Shapes: (B, *shape) -> (B, *shape)
    """
    low, high = amount
    level = low + (high - low) * draws.uniform(len(x), *[1] * (x.ndim - 1))
    if noise == "gaussian":
        noisy = x + level * draws.normal(*x.shape)
        return noisy.clamp(0, 1) if unit_interval else noisy
    uniform = draws.uniform(*x.shape)
    if noise == "masking":
        return torch.where(uniform < level, 0.0, x)
    return torch.where(uniform < level / 2, 0.0, torch.where(uniform > 1 - level / 2, 1.0, x))


def relative_noise(code: Tensor, std: float, draws: Draws) -> Tensor:
    """
    A code plus Gaussian noise of `std` times the code's own standard deviation over the batch; not clipped.

    Shapes: (B, *shape) -> (B, *shape)
    """
    return code + std * draws.spread(code) * draws.normal(*code.shape).to(code.dtype)


def binarise(x: Tensor, how: str, draws: Draws) -> Tensor:
    """
    X in [0, 1] as zeros and ones: `dynamic` draws each with probability x, `threshold` rounds at 1/2.

    Shapes: (B, *shape) -> (B, *shape)
    """
    if how == "none":
        return x
    return (draws.uniform(*x.shape) < x).to(x.dtype) if how == "dynamic" else (x >= 0.5).to(x.dtype)
