"""The choice of a mixture by the likelihood of the validation part, and the comparison of priors with N(0, I)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.arrays import Latents
from training.config import PriorConfig
from training.priors.codes import Codes, Numbers
from training.priors.flows.fit import Flow
from training.priors.mixture import REGULARISATION, Covariance, Groups, Mixture, fit_mixture

log = logging.getLogger(__name__)

COMPONENTS = (1, 2, 4, 8, 16, 32, 64)
"""The numbers of Gaussians that are tried."""
PATIENCE = 2
"""Successive numbers of Gaussians that are no better, after which larger ones are not tried."""
STANDARD_ERRORS = 2.0
"""Standard errors of the mean by which a mixture must be better than N(0, I)."""


@dataclass(frozen=True)
class Choice:
    """A prior, and the mean log-likelihoods of the held-out codes in nats."""

    prior: Mixture | Flow
    log_likelihood: float
    standard_normal: float
    """Under N(0, I)."""
    is_better: bool
    """True if the prior is better than N(0, I) by more than chance."""
    rows: int
    """The number of codes that it was fitted on."""
    rule: str
    """The candidates, and the codes that the choice was made by."""
    is_trained: bool = False
    """True if it is the prior of the network's bound."""

    @classmethod
    def of(cls, prior: Mixture | Flow, scores: Numbers, train: Codes, held_out: Codes, rule: str) -> Choice:
        """Compare a prior with N(0, I) by its log-likelihoods of held-out codes, of all or of the first ones."""
        normal = standard_normal(held_out.latents[: len(scores)])
        better = exceeds_chance(scores - normal)
        return cls(prior, float(scores.mean()), float(normal.mean()), better, len(train), rule)

    @property
    def mixture(self) -> Mixture:
        """The prior, which is known to be a mixture."""
        assert isinstance(self.prior, Mixture)
        return self.prior


def choose_mixture(
    train: Codes,
    held_out: Codes,
    labels: int,
    config: PriorConfig,
    seed: int,
    regularisation: float = REGULARISATION,
) -> Choice:
    """
    Return the simplest mixture that is as good as the best on the held-out codes, of those that a configuration allows.

    A conditional model has a mixture for each of its labels, all of one size and kind.
    """
    groups = Groups.of(train, labels)
    kinds: tuple[Covariance, ...] = ("diagonal", "full") if config.covariance == "auto" else (config.covariance,)
    candidates = [
        found for kind in kinds for found in _candidates(groups, held_out, kind, config, seed, regularisation)
    ]
    if not candidates:
        log.warning("prior: too few codes for the configuration's mixture: it is a single, diagonal Gaussian")
        single = fit_mixture(groups, 0, "diagonal", seed, regularisation)
        assert single is not None  # a diagonal Gaussian can be fitted to any codes
        candidates = [(single, single.log_likelihoods(held_out))]
    mixture, scores = simplest(candidates)
    rule = (
        f"likelihood of {len(held_out)} codes of the validation part, among {_describe(config)}: the simplest within "
        "a standard error of the best"
    )
    return Choice.of(mixture, scores, train, held_out, rule)


def _candidates(
    groups: Groups, held_out: Codes, covariance: Covariance, config: PriorConfig, seed: int, regularisation: float
) -> Iterator[tuple[Mixture, Numbers]]:
    """Yield mixtures of growing size, and the log-likelihoods of the held-out codes under each."""
    best, failures = -np.inf, 0
    for components in numbers_of_components(config):
        if failures == PATIENCE:
            return
        mixture = fit_mixture(groups, components, covariance, seed, regularisation)
        if mixture is None:
            return
        scores = mixture.log_likelihoods(held_out)
        mean = float(scores.mean())
        log.info("prior: %d Gaussians, %s: %.3f nats per held-out code", components, covariance, mean)
        best, failures = (mean, 0) if mean > best else (best, failures + 1)
        yield mixture, scores


def simplest(candidates: list[tuple[Mixture, Numbers]]) -> tuple[Mixture, Numbers]:
    """
    Return the candidate with the fewest numbers that is not worse than the best by more than a standard error.

    Source: Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3: the rule of one standard error
    """
    _, best = max(candidates, key=lambda candidate: candidate[1].mean())
    good = [found for found in candidates if not exceeds_chance(best - found[1], standard_errors=1.0)]
    return min(good, key=lambda candidate: candidate[0].size)


def numbers_of_components(config: PriorConfig) -> tuple[int, ...]:
    """Return the numbers of Gaussians that a configuration allows."""
    if config.kind == "normal":
        return (1,)
    return COMPONENTS if config.components == "auto" else (config.components,)


def _describe(config: PriorConfig) -> str:
    numbers = numbers_of_components(config)
    count = f"{numbers[0]} to {numbers[-1]} Gaussians" if len(numbers) > 1 else f"mixtures of {numbers[0]}"
    kinds = "diagonal or full" if config.covariance == "auto" else config.covariance
    return f"{count} with {kinds} covariance"


def standard_normal(latents: Numbers | Latents) -> Numbers:
    """Return the logarithm of the density of N(0, I) at each code, in nats. Shapes: (..., D) -> (...)."""
    density: Numbers = -0.5 * (np.square(latents) + np.log(2 * np.pi)).sum(axis=-1, dtype=np.float64)
    return density


def exceeds_chance(differences: Numbers, standard_errors: float = STANDARD_ERRORS) -> bool:
    """Return whether the mean of differences is above 0 by more than so many of its standard errors."""
    if len(differences) < 2:
        return False
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return bool(differences.mean() > standard_errors * error)
