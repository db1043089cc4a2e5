"""
Mixtures of Gaussians, fitted to codes by expectation maximisation.

Codes are standardised first, so that one regularisation fits all. Source of the fit: scikit-learn's GaussianMixture.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from training.openmp import one_thread
from training.priors.codes import Codes, Numbers

Covariance = Literal["full", "diagonal"]

REGULARISATION = 1e-3
"""Added to every variance, in units of the variance of a latent over all codes."""
MIN_DEVIATION = 1e-6
"""Standard deviation, in units of the largest absolute value, below which a latent counts as constant."""
MAX_ITERATIONS = 100
ROWS_PER_COMPONENT = 10
"""Different codes per Gaussian with a diagonal covariance; a full one needs two per latent, too."""
MAX_MATRIX_NUMBERS = 2**21
"""The most numbers in the covariance matrices of one graph: 4 MiB in half precision."""
MAX_WORK = 2**32
"""The most multiplications in an iteration of a fit: about a second of one core."""


@dataclass(frozen=True)
class Scale:
    """Each latent's mean and standard deviation, (D,) each; the deviation of a constant latent is 0."""

    shift: Numbers
    deviation: Numbers

    @classmethod
    def of(cls, latents: Numbers) -> Scale:
        """Measure codes. Shape: (N, D)."""
        deviation, largest = latents.std(axis=0), np.abs(latents).max(axis=0)
        return cls(latents.mean(axis=0), np.where(deviation <= MIN_DEVIATION * largest, 0.0, deviation))

    @classmethod
    def identity(cls, dimension: int) -> Scale:
        """Return the scale of codes that are taken as they are."""
        return cls(np.zeros(dimension), np.ones(dimension))

    def standardise(self, latents: Numbers) -> Numbers:
        """Return codes with mean 0 and variance 1; a constant latent is 0."""
        standardised: Numbers = (latents - self.shift) / np.where(self.deviation > 0, self.deviation, 1.0)
        return standardised

    @property
    def log_volume(self) -> float:
        """The logarithm of the volume of a unit of standardised codes, without constant latents."""
        return float(np.log(self.deviation[self.deviation > 0]).sum())


@dataclass(frozen=True)
class Mixture:
    """One mixture of Gaussians for each label, or a single one; all have the same kind of covariance matrix."""

    scale: Scale
    parts: tuple[GaussianMixture, ...]
    """They are mixtures of standardised codes."""
    covariance: Covariance

    @property
    def components(self) -> tuple[int, ...]:
        """The number of Gaussians of each part."""
        return tuple(part.n_components for part in self.parts)

    @property
    def size(self) -> int:
        """The count of numbers in all weights, means and covariances."""
        dimension = len(self.scale.shift)
        matrix = dimension * (dimension + 1) // 2 if self.covariance == "full" else dimension
        return sum(self.components) * (1 + dimension + matrix)

    def log_likelihoods(self, codes: Codes) -> Numbers:
        """Return the logarithm of the density at each code, in nats, under the code's label. Shape: (N,)."""
        standardised, scores = self.scale.standardise(codes.latents), np.empty(len(codes))
        labels = np.zeros(len(codes), np.int64) if codes.labels is None else codes.labels
        for label in np.unique(labels):
            rows = labels == label
            with one_thread():
                scores[rows] = self.parts[label].score_samples(standardised[rows])
        return scores - self.scale.log_volume


@dataclass(frozen=True)
class Groups:
    """Standardised codes, those of each label apart."""

    scale: Scale
    latents: Numbers
    by_label: tuple[Numbers, ...]
    """The codes of each label; without labels, a single group of all codes."""
    different: tuple[int, ...]
    """The number of different codes in each group."""

    @classmethod
    def of(cls, codes: Codes, labels: int) -> Groups:
        """Standardise codes, and split them by their labels, of which a conditional model has several."""
        scale = Scale.of(codes.latents)
        standardised = Codes(scale.standardise(codes.latents), codes.labels)
        groups = tuple(standardised.under(label) for label in range(labels)) if labels else (standardised.latents,)
        return cls(scale, standardised.latents, groups, tuple(len(np.unique(group, axis=0)) for group in groups))

    def most_components(self, covariance: Covariance, max_work: int = MAX_WORK) -> list[int]:
        """Return the most Gaussians that each group has enough codes for, within the bounds on size and time."""
        dimension = self.latents.shape[1]
        if covariance == "diagonal":
            return [max(different // ROWS_PER_COMPONENT, int(different > 1)) for different in self.different]
        square, rows = dimension**2, max(ROWS_PER_COMPONENT, 2 * dimension)
        most = min(MAX_MATRIX_NUMBERS // (square * len(self.by_label)), max_work // (len(self.latents) * square))
        return [min(different // rows, most) for different in self.different]


def fit_mixture(
    groups: Groups,
    components: int,
    covariance: Covariance,
    seed: int,
    regularisation: float = REGULARISATION,
    max_work: int = MAX_WORK,
) -> Mixture | None:
    """
    Fit a mixture to each group of codes; None if no group has enough codes for so many Gaussians.

    A group with fewer codes gets fewer Gaussians; one without enough for a single Gaussian gets one of all codes.
    """
    most = groups.most_components(covariance, max_work)
    if max(most) < components:
        return None
    parts = [
        _fit(group if limit else groups.latents, max(1, min(components, limit)), covariance, seed, regularisation)
        for group, limit in zip(groups.by_label, most, strict=True)
    ]
    return Mixture(groups.scale, tuple(parts), covariance)


def _fit(
    latents: Numbers, components: int, covariance: Covariance, seed: int, regularisation: float
) -> GaussianMixture:
    """Fit a mixture to standardised codes."""
    if len(latents) == 1:
        latents = np.repeat(latents, 2, axis=0)  # scikit-learn refuses a single row
    mixture = GaussianMixture(
        components,
        covariance_type="full" if covariance == "full" else "diag",
        reg_covar=regularisation,
        max_iter=MAX_ITERATIONS,
        random_state=seed,
    )
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the held-out likelihood judges the result
        return mixture.fit(latents)
