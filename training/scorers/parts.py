"""The parts of a score as networks of a sample's features; a larger value is stranger."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.manifest import BernoulliLikelihood, GaussianLikelihood
from training.networks.objectives import gaussian_nll, kl_to_standard_normal
from training.priors.flows.fit import Flow
from training.priors.mixture import Mixture
from training.scorers.features import Features

MIN_RELATIVE_DEVIATION = 0.1
"""Deviation of a latent, relative to the largest, below which it is not enlarged: noise would decide the distances."""
ROUNDING = 1e-6
"""Share of the squared lengths of two rows that rounding may add to their squared distance, which is taken off."""
PROBABILITY_FLOOR = 1e-4
"""Distance from 0 and 1 within which a decoder's certainty counts no more: float32 has few digits next to 1."""
PRIOR_ROWS = 5.0
"""Rows for which the mean error of all numbers counts in the expected error of one; of pixels, as many as there are."""
SQUARE = 3
"""Pixels a side of the squares in which a defect of an image is looked for."""


class ReconstructionError(nn.Module):
    """
    The squared error of each number, divided by the one that held-out rows lead to expect there.

    Pixels share a unit, and some are empty in all rows, where the least trace of ink would decide. So what is expected
    of a pixel is half its own error, half that of all pixels.
    """

    expected: Tensor

    def __init__(self, held_out: Features) -> None:
        super().__init__()
        errors = (held_out.x - held_out.reconstructions).double().square()
        mean, rows = errors.mean(dim=0, keepdim=True), len(errors)
        overall = mean.mean().clamp(min=1e-12)
        prior = max(PRIOR_ROWS, rows) if held_out.has_pixels else PRIOR_ROWS
        expected = (rows * mean + prior * overall) / (rows + prior)
        self.register_buffer("expected", expected.float())

    def forward(self, features: Features) -> Tensor:
        """Return the standardised squared error of each number. Shape: (B, *input_shape)."""
        return (features.x - features.reconstructions).square() / self.expected

    def largest(self, features: Features) -> Tensor:
        """
        Return the mean error of each sample; of an image, that of its worst square. Shape: (B,).

        A defect is often small, and a mean over all pixels would hide it.
        """
        errors: Tensor = self(features)
        if not features.has_pixels:
            return errors.flatten(1).mean(dim=1)
        square = [min(SQUARE, side) for side in errors.shape[2:]]
        return functional.avg_pool2d(errors.mean(dim=1, keepdim=True), square, stride=1).flatten(1).amax(dim=1)


class NearestRow(nn.Module):
    """
    The distances to the nearest row of a bank, by two scalings of the numbers.

    Of samples, one scaling divides each number by its standard deviation, the other by its range. Of latents, one
    divides by the standard deviation, the other leaves them as they are.
    """

    bank: Tensor
    shift: Tensor
    scalings: Tensor

    def __init__(self, rows: Features, chosen: Tensor) -> None:
        super().__init__()
        numbers = rows.coordinates.double()
        deviation = numbers.std(dim=0, correction=0)
        if rows.has_small_samples:
            extent = numbers.amax(dim=0) - numbers.amin(dim=0)
            scalings = [_inverse(deviation), _inverse(extent)]
        else:
            floor = MIN_RELATIVE_DEVIATION * deviation.max()
            scalings = [_inverse(deviation.maximum(floor)), torch.ones_like(deviation)]
        self.register_buffer("shift", numbers.mean(dim=0).float())
        self.register_buffer("scalings", torch.stack(scalings).float())
        self.register_buffer("bank", rows.coordinates[chosen] - self.shift)

    def forward(self, features: Features) -> tuple[Tensor, ...]:
        """Return the distance by each scaling. Shape: (B,) each."""
        numbers = features.coordinates
        return tuple(self.distances(numbers, index).amin(dim=1) for index in range(len(self.scalings)))

    def distances(self, numbers: Tensor, index: int) -> Tensor:
        """Return the distance of each row to each row of the bank by one scaling. Shape: (B, F) -> (B, N)."""
        scaling = self.scalings[index]
        rows, bank = (numbers - self.shift) * scaling, self.bank * scaling
        lengths = rows.square().sum(dim=1, keepdim=True) + bank.square().sum(dim=1)
        return (lengths - 2 * rows @ bank.T - ROUNDING * lengths).clamp(min=0).sqrt()

    def among_themselves(self, index: int, rows_per_chunk: int = 512) -> Tensor:
        """Return the distance of each row of the bank to the nearest other one. Shape: (N,)."""
        nearest = []
        for start in range(0, len(self.bank), rows_per_chunk):
            numbers = self.bank[start : start + rows_per_chunk] + self.shift
            distances = self.distances(numbers, index)
            own = torch.arange(len(numbers))
            distances[own, start + own] = math.inf
            nearest.append(distances.amin(dim=1))
        return torch.cat(nearest)


class Surprise(nn.Module):
    """-log p in nats, of samples or latents that follow a mixture of Gaussians. Shape: (B, D) -> (B,)."""

    shift: Tensor
    scale: Tensor
    means: Tensor
    factors: Tensor
    constants: Tensor

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        (part,) = mixture.parts
        dimension = part.means_.shape[1]
        factors = part.precisions_cholesky_
        if factors.ndim == 2:
            factors = np.stack([np.diag(row) for row in factors])
        diagonals = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
        constants = np.log(part.weights_) + diagonals - 0.5 * dimension * np.log(2 * np.pi)
        self.dimension = dimension
        self._keep("shift", mixture.scale.shift)
        self._keep("scale", np.where(mixture.scale.deviation > 0, mixture.scale.deviation, 1.0))
        self._keep("factors", factors.transpose(1, 0, 2).reshape(dimension, -1))
        self._keep("means", np.einsum("kd,kde->ke", part.means_, factors).reshape(-1))
        self._keep("constants", constants - mixture.scale.log_volume)

    def forward(self, features: Features) -> Tensor:
        """Return the surprise at each row."""
        rows = (features.coordinates - self.shift) / self.scale
        steps = (rows @ self.factors - self.means).view(-1, len(self.constants), self.dimension)
        return -(self.constants - 0.5 * steps.square().sum(dim=2)).logsumexp(dim=1)

    def _keep(self, name: str, numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
        self.register_buffer(name, torch.from_numpy(np.ascontiguousarray(numbers, np.float32)))


class FlowSurprise(nn.Module):
    """-log p in nats, of latents that follow a flow. Shape: (B, D) -> (B,)."""

    shift: Tensor
    deviation: Tensor

    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.network, self.log_volume = flow.network, flow.scale.log_volume
        self.register_buffer("shift", torch.from_numpy(flow.scale.shift.astype(np.float32)))
        self.register_buffer("deviation", torch.from_numpy(flow.scale.deviation.astype(np.float32)))

    def forward(self, features: Features) -> Tensor:
        """Return the surprise at each row's latents."""
        codes = (features.latents - self.shift) / self.deviation
        return self.log_volume - self.network.log_density(codes)


class Evidence(nn.Module):
    """
    The negative evidence lower bound in nats, at the posterior's mean in place of a draw. Shape: (B, D) -> (B,).

    `prior` gives -log p of the latents; None is that of N(0, I).
    """

    noise: Tensor

    def __init__(
        self, likelihood: BernoulliLikelihood | GaussianLikelihood, axes: int, prior: FlowSurprise | None
    ) -> None:
        super().__init__()
        self.is_bernoulli, self.prior = isinstance(likelihood, BernoulliLikelihood), prior
        logvar = likelihood.logvar if isinstance(likelihood, GaussianLikelihood) else ()
        self.register_buffer("noise", torch.tensor(logvar).view(-1, *[1] * (axes - 1)))

    def forward(self, features: Features, surprise: Tensor | None = None) -> Tensor:
        """
        Return the bound of each row; values beyond [0, 1] count as those under a Bernoulli likelihood.

        `surprise` is what `prior` gives for these features, if it is known: a graph need not compute it twice.
        """
        return self.reconstruction(features.x, features.reconstructions) + self.divergence(features, surprise)

    def reconstruction(self, x: Tensor, mean: Tensor) -> Tensor:
        """Return -log p(x|z) under the decoder's mean. Shapes: (B, *input_shape) twice -> (B,)."""
        if not self.is_bernoulli:
            return gaussian_nll(mean, self.noise, x)
        x, p = x.clamp(0, 1), mean.clamp(PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
        return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(dim=1)

    def divergence(self, features: Features, surprise: Tensor | None = None) -> Tensor:
        """Return KL(q(z|x) || p(z)); log p(z) is that of the mean, if it has no closed form."""
        if self.prior is None:
            return kl_to_standard_normal(features.latents, features.logvar)
        entropy = 0.5 * (features.logvar + 1 + math.log(2 * math.pi)).sum(dim=1)
        return torch.as_tensor(self.prior(features) if surprise is None else surprise) - entropy


def _inverse(scale: Tensor) -> Tensor:
    """Return 1 / scale; a number that never varies keeps its unit."""
    return torch.where(scale > 0, 1 / torch.where(scale > 0, scale, 1.0), 1.0)
