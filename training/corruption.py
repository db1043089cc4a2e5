"""Corruption of inputs in training. The served demonstration has its own, in numpy: `app.engine.corruption`."""

from __future__ import annotations

import torch
from torch import Tensor


def gaussian_noise(x: Tensor, std: tuple[float, float], generator: torch.Generator | None) -> Tensor:
    """
    x plus Gaussian noise, clipped to [0, 1]; each sample's standard deviation is uniform in the interval `std`.

    Clipped, since what the service takes lies in the value range too.
    Shapes: (B, *shape) in [0, 1] -> (B, *shape) in [0, 1]
    """
    low, high = std
    per_sample = (len(x), *[1] * (x.ndim - 1))
    level = low + (high - low) * torch.rand(per_sample, generator=generator, device=x.device, dtype=x.dtype)
    noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
    return (x + level * noise).clamp(0, 1)


def relative_noise(code: Tensor, std: float, generator: torch.Generator | None) -> Tensor:
    """
    A code plus Gaussian noise of `std` times the code's own standard deviation over the batch; not clipped.

    Shapes: (B, *shape) -> (B, *shape)
    """
    noise = torch.randn(code.shape, generator=generator, device=code.device, dtype=code.dtype)
    return code + std * code.std() * noise
