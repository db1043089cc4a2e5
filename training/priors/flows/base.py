"""
The base of a flow: a mixture of Gaussians in place of N(0, I).

A flow of one Gaussian is continuous, and has to join clusters of codes: between them lie codes of no sample. With a
Gaussian for each cluster it need not. Source of the idea: Izmailov et al., "Semi-Supervised Learning with Normalizing
Flows", arXiv:1912.13025, where each Gaussian is a class.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from training.priors.graph import heaviest_in_the_middle, thresholds_of

MAX_ROWS, MAX_ITERATIONS = 20_000, 60
"""The codes that the beginning is fitted to, and the iterations of that fit."""
MIN_VARIANCE = 1e-3
"""Added to each variance, in units of a whitened code's, at the beginning."""


class LearnedBase(nn.Module):
    """Weights, means and standard deviations of K Gaussians that training changes. Shape: (B, D) -> (B,)."""

    def __init__(self, mixture: GaussianMixture) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.from_numpy(np.log(mixture.weights_)).float())
        self.means = nn.Parameter(torch.from_numpy(mixture.means_).float())
        self.log_scales = nn.Parameter(torch.from_numpy(0.5 * np.log(mixture.covariances_)).float())

    @classmethod
    def fitted(cls, codes: Tensor, components: int, seed: int) -> LearnedBase:
        """Begin with a mixture that is fitted to codes, (N, D), by expectation maximisation."""
        rows = codes[:MAX_ROWS].numpy()
        mixture = GaussianMixture(
            min(components, len(rows)),
            covariance_type="diag",
            reg_covar=MIN_VARIANCE,
            max_iter=MAX_ITERATIONS,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # training goes on from there
            return cls(mixture.fit(rows))

    def log_density(self, z: Tensor) -> Tensor:
        """Return the logarithm of the density at each row, in nats."""
        return mixture_log_density(z, self.logits.log_softmax(0), self.means, self.log_scales)

    def frozen(self) -> MixtureBase:
        """Return the base that draws, with the same density; the heaviest Gaussians are in the middle."""
        weights = self.logits.detach().double().softmax(0).numpy()
        order = heaviest_in_the_middle(weights)
        thresholds = torch.tensor(thresholds_of(weights[order]))
        means, scales = self.means.detach()[order], self.log_scales.detach()[order].exp()
        base = MixtureBase(*means.shape)
        base.load_state_dict({"thresholds": thresholds, "means": means, "scales": scales})
        return base


class MixtureBase(nn.Module):
    """
    Standard normal noise to draws of K Gaussians: the first column picks one, the others are its noise.

    The Gaussian is the one in whose share of the weights the first number's distribution function lies.
    Shapes: (B, 1 + D) -> (B, D)
    """

    thresholds: Tensor
    means: Tensor
    scales: Tensor

    def __init__(self, components: int, dimension: int) -> None:
        super().__init__()
        self.register_buffer("thresholds", torch.zeros(components - 1))
        self.register_buffer("means", torch.zeros(components, dimension))
        self.register_buffer("scales", torch.ones(components, dimension))

    @property
    def components(self) -> int:
        """The number of Gaussians."""
        return len(self.means)

    def forward(self, noise: Tensor) -> Tensor:
        """Return the draws."""
        component = (noise[:, :1] >= self.thresholds).sum(dim=1)
        mean, scale = (numbers.index_select(0, component) for numbers in (self.means, self.scales))
        return mean + scale * noise[:, 1:]

    def log_density(self, z: Tensor) -> Tensor:
        """Return the logarithm of the density at each row, in nats."""
        shares = torch.special.ndtr(self.thresholds.double())
        weights = torch.diff(shares, prepend=shares.new_zeros(1), append=shares.new_ones(1))
        return mixture_log_density(z, weights.log().float(), self.means, self.scales.log())


def mixture_log_density(z: Tensor, log_weights: Tensor, means: Tensor, log_scales: Tensor) -> Tensor:
    """Return the logarithm of a mixture's density, in nats. Shapes: (B, D), (K,), (K, D) and (K, D) -> (B,)."""
    steps = (z.unsqueeze(1) - means) * (-log_scales).exp()
    densities = log_weights - log_scales.sum(dim=1) - 0.5 * (steps.square() + math.log(2 * math.pi)).sum(dim=2)
    return densities.logsumexp(dim=1)
