"""
RealNVP: a chain of affine couplings, whose inverse and density are exact.

Source: Dinh et al., "Density estimation using Real NVP", arXiv:1605.08803. Here, fixed random rotations stand between
the couplings in place of alternating masks, so that each coupling sees mixtures of all latents, as the learned ones of
Kingma & Dhariwal, arXiv:1807.03039, do; and there is no batch normalisation.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.priors.flows.base import LearnedBase, MixtureBase
from training.priors.flows.network import FlowNetwork, log_standard_normal

COUPLINGS, WIDTH = 10, 128
MAX_LOG_SCALE = 2.0
"""Bound of the logarithm of a coupling's scales: one coupling multiplies by 7.4 at most."""


class Coupling(nn.Module):
    """A rotation, after which the first half of the numbers decides an affine map of the others."""

    rotation: Tensor
    """The orthogonal matrix of the inverse, as the graph of the prior has it."""

    def __init__(self, dimension: int, width: int = WIDTH) -> None:
        super().__init__()
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(dimension, dimension))[0].T.contiguous())
        self.first = dimension // 2
        last = nn.Linear(width, 2 * (dimension - self.first))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(nn.Linear(self.first, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return numbers nearer to noise, and the logarithm of the map's determinant. Shapes: (B, D), (B,)."""
        first, rest = self._halves(x @ self.rotation.T)
        log_scale, shift = self._affine(first)
        return torch.cat([first, (rest + shift) * log_scale.exp()], dim=1), log_scale.sum(dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        """Return the numbers that `forward` maps to z."""
        first, rest = self._halves(z)
        log_scale, shift = self._affine(first)
        return torch.cat([first, rest * (-log_scale).exp() - shift], dim=1) @ self.rotation

    def _halves(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        return numbers[:, : self.first], numbers[:, self.first :]

    def _affine(self, first: Tensor) -> tuple[Tensor, Tensor]:
        log_scale, shift = self.network(first).chunk(2, dim=1)
        return MAX_LOG_SCALE * torch.tanh(log_scale / MAX_LOG_SCALE), shift


class RealNVP(FlowNetwork):
    """
    log p(x) = log p(f(x)) + log |det df/dx|, where f whitens x and applies the couplings.

    p is N(0, I), or a mixture of Gaussians if `fit_base` was called.
    """

    def __init__(self, covariance: Tensor, couplings: int = COUPLINGS, width: int = WIDTH) -> None:
        super().__init__(covariance)
        self.couplings = nn.ModuleList(Coupling(len(covariance), width) for _ in range(couplings))
        self.base: LearnedBase | MixtureBase | None = None

    @property
    def layers(self) -> int:
        """The number of couplings."""
        return len(self.couplings)

    @property
    def noise_dim(self) -> int:
        """The columns of the noise: one more than there are latents, if it picks a Gaussian."""
        return len(self.whiten) + (1 if self.base else 0)

    @property
    def components(self) -> int:
        """The number of Gaussians of the base."""
        return len(self.base.means) if self.base else 1

    def fit_base(self, codes: Tensor, components: int, seed: int) -> None:
        """Begin with a mixture as the base, fitted to what f makes of codes, (N, D)."""
        with torch.no_grad():
            self.base = LearnedBase.fitted(self._to_noise(codes)[0], components, seed)

    def freeze_base(self) -> None:
        """End the training of the base; only then can noise be mapped to codes."""
        if isinstance(self.base, LearnedBase):
            self.base = self.base.frozen()

    def forward(self, noise: Tensor) -> Tensor:
        """Return codes made of noise: the inverse of f."""
        if self.base:
            noise = self.base(noise)
        for coupling in reversed(list(self._couplings())):
            noise = coupling.inverse(noise)
        return noise @ self.unwhiten

    def loss(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Return the negative log-likelihood of each code, in nats."""
        return -self.log_density(codes)

    def log_density(self, codes: Tensor) -> Tensor:
        """Return the logarithm of the density at each code, in nats."""
        z, log_determinant = self._to_noise(codes)
        return (self.base.log_density(z) if self.base else log_standard_normal(z)) + log_determinant

    def _to_noise(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return f of codes, and the logarithm of its determinant."""
        z = codes @ self.whiten
        total = torch.full_like(z[:, 0], self.log_volume)
        for coupling in self._couplings():
            z, log_determinant = coupling(z)
            total = total + log_determinant
        return z, total

    def _couplings(self) -> list[Coupling]:
        return [coupling for coupling in self.couplings if isinstance(coupling, Coupling)]
