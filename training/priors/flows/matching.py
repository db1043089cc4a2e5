"""
Flow matching: a velocity that carries noise to codes along straight lines, integrated in a fixed number of steps.

Source: Lipman et al., "Flow Matching for Generative Modeling", arXiv:2210.02747, with straight paths. The density is of
what the graph computes, and not of the continuous flow: every midpoint step is inverted by fixed-point iteration, and
contributes its Jacobian's determinant.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import jacrev, vmap
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from training.priors.flows.network import FlowNetwork, batches, log_standard_normal

WIDTH, BLOCKS, FREQUENCIES = 256, 3, 16
MAX_FREQUENCY = 100.0
"""The largest angular frequency of the features of time, whose range is [0, 1]."""
STEPS = 16
ITERATIONS = 30
"""Fixed-point iterations that invert a step."""
MAX_DENSITY_ROWS, MAX_JACOBIAN_NUMBERS = 500, 2**20
ROWS_PER_JACOBIAN = 50


class Velocity(nn.Module):
    """A residual network of a whitened code and a time in [0, 1]. Shapes: (B, D), (B or 1,) -> (B, D)."""

    frequencies: Tensor

    def __init__(self, dimension: int, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(MAX_FREQUENCY), FREQUENCIES)))
        self.time = nn.Sequential(nn.Linear(2 * FREQUENCIES, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.first = nn.Linear(dimension, width)
        self.times = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)) for _ in range(blocks)
        )
        self.last = nn.Linear(width, dimension)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Return the velocity."""
        angles = time[:, None] * self.frequencies
        features = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        hidden = self.first(x)
        for block, shift in zip(self.blocks, self.times, strict=True):
            hidden = hidden + block(hidden + shift(features))
        return cast(Tensor, self.last(F.silu(hidden)))


class FlowMatching(FlowNetwork):
    """dx/dt = v(x, t) from noise at t = 0 to whitened codes at t = 1, in midpoint steps."""

    def __init__(self, covariance: Tensor, width: int = WIDTH, blocks: int = BLOCKS, steps: int = STEPS) -> None:
        super().__init__(covariance)
        self.velocity = Velocity(len(covariance), width, blocks)
        self.steps = steps

    @property
    def layers(self) -> int:
        """The number of steps."""
        return self.steps

    def forward(self, noise: Tensor) -> Tensor:
        """Return codes made of noise."""
        for number in range(self.steps):
            noise = noise + self._move(noise, number)
        return noise @ self.unwhiten

    def loss(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Return the squared error of the velocity between noise and each code, at a random time."""
        codes = codes @ self.whiten
        noise = torch.randn(codes.shape, generator=generator)
        time = torch.rand(len(codes), generator=generator)
        between = noise.lerp(codes, time[:, None])
        errors: Tensor = self.velocity(between, time) - (codes - noise)
        return errors.square().sum(dim=1)

    def log_density(self, codes: Tensor) -> Tensor:
        """Return the logarithm of the density of the discretised flow at each code, in nats."""
        z = codes @ self.whiten
        total = torch.full_like(z[:, 0], self.log_volume)
        for number in reversed(range(self.steps)):
            after = z
            for _ in range(ITERATIONS):
                z = after - self._move(z, number)
            jacobians = torch.cat([self._jacobians(part, number) for part in batches(z, ROWS_PER_JACOBIAN)])
            total = total - torch.linalg.slogdet(jacobians)[1]
        return log_standard_normal(z) + total

    def density_rows(self, rows: int) -> int:
        """Return fewer rows for more latents: a Jacobian costs a pass for each of them."""
        return min(rows, MAX_DENSITY_ROWS, max(1, MAX_JACOBIAN_NUMBERS // len(self.whiten) ** 2))

    def _move(self, x: Tensor, number: int) -> Tensor:
        """Return what one step adds."""
        size = 1 / self.steps
        begin, middle = (torch.tensor([(number + part) * size]) for part in (0.0, 0.5))
        move: Tensor = size * self.velocity(x + size / 2 * self.velocity(x, begin), middle)
        return move

    def _jacobians(self, x: Tensor, number: int) -> Tensor:
        """Return the Jacobian of one step at each row. Shape: (B, D, D)."""

        def step(row: Tensor) -> Tensor:
            return row + self._move(row.unsqueeze(0), number).squeeze(0)

        return cast(Tensor, vmap(jacrev(step))(x))
