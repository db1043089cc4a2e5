"""The base of all flows: they work on whitened codes, and compare them with N(0, I)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class FlowNetwork(nn.Module, ABC):
    """
    A map from standard normal noise to standardised codes, and the density of the codes that it makes.

        noise  (B, noise_dim)
        codes  (B, D)

    The codes are whitened by the covariance of the training codes, so that the layers begin at a single Gaussian.
    """

    whiten: Tensor
    unwhiten: Tensor

    def __init__(self, covariance: Tensor) -> None:
        """Take the covariance of the codes, (D, D) in double precision."""
        super().__init__()
        factor = torch.linalg.cholesky(covariance)
        self.register_buffer("whiten", torch.linalg.inv(factor).T.contiguous().float())
        self.register_buffer("unwhiten", factor.T.contiguous().float())
        self.log_volume = float(-factor.diagonal().log().sum())
        """The logarithm of the determinant of `whiten`."""

    @property
    def noise_dim(self) -> int:
        """The columns of the noise."""
        return len(self.whiten)

    @property
    @abstractmethod
    def layers(self) -> int:
        """The number of transformations that the noise passes in turn."""

    @abstractmethod
    def forward(self, noise: Tensor) -> Tensor:
        """Return codes made of noise, each row by itself."""

    @abstractmethod
    def loss(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Return the quantity that training minimises, for each code. Shape: (B,)."""

    @abstractmethod
    def log_density(self, codes: Tensor) -> Tensor:
        """Return the logarithm of the density at each code, in nats. Shape: (B,)."""

    def density_rows(self, rows: int) -> int:
        """Return how many of a number of codes the density can be computed at, within a minute."""
        return rows


def batches(rows: Tensor, size: int) -> list[Tensor]:
    """Return rows in parts of at most `size`."""
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def log_standard_normal(z: Tensor) -> Tensor:
    """Return the logarithm of the density of N(0, I), in nats. Shapes: (B, D) -> (B,)."""
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(dim=1)
