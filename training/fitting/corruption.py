"""Noise on the inputs of training. The service adds its own noise with numpy: `app.engine.corruption`."""

from __future__ import annotations

import torch
from torch import Tensor

from training.config import Binarisation, NoiseKind
from training.fitting.draws import Draws

Interval = tuple[float, float]


def corrupt(x: Tensor, noise: NoiseKind, amount: Interval, unit_interval: bool, draws: Draws) -> Tensor:
    """
    Return noisy x; each sample's amount of noise is uniform in the interval.

    gaussian: adds noise of that standard deviation. masking: sets that share of the numbers to 0, which is black or the
    mean of a standardised column. salt-and-pepper: sets that share to 0 or 1. `unit_interval` clips Gaussian noise to
    [0, 1], because samples sent to the service lie in the value range too.
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


def relative_noise(values: Tensor, std: float, draws: Draws) -> Tensor:
    """
    Add Gaussian noise of `std` times the standard deviation that the values have over the batch; do not clip.

    Shapes: (B, *shape) -> (B, *shape)
    """
    return values + std * draws.spread(values) * draws.normal(*values.shape).to(values.dtype)


def binarise(x: Tensor, method: Binarisation, draws: Draws) -> Tensor:
    """
    Replace x in [0, 1] by zeros and ones: `dynamic` draws 1 with probability x, `threshold` rounds at 1/2.

    Shapes: (B, *shape) -> (B, *shape)
    """
    match method:
        case "dynamic":
            return (draws.uniform(*x.shape) < x).to(x.dtype)
        case "threshold":
            return (x >= 0.5).to(x.dtype)
    return x
