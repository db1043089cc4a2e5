"""Parts of flows for tests: a covariance, noise, and weights as if a network had been trained."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

COVARIANCE = torch.tensor([[4.0, 2, 0], [2, 3, 0], [0, 0, 0.25]], dtype=torch.float64)


def noise(rows: int, columns: int = 3) -> torch.Tensor:
    """Return seeded noise."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal((rows, columns), dtype=np.float32))


def shake(network: nn.Module, deviation: float = 0.3) -> None:
    """Move all weights at random, as training would."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(deviation * torch.randn(weight.shape) / math.sqrt(weight.shape[-1]))
