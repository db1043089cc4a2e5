"""The evidence lower bound of a variational model, its terms, and the estimate of log p(x) beside it."""

from __future__ import annotations

import math

import numpy as np

from app.arrays import Latents
from app.engine.results import Posterior
from app.manifest import Measurement
from training.config import Binarisation
from training.evaluation.measures.columns import find_ruinous_column
from training.evaluation.measures.densities import log_density
from training.evaluation.measures.importance import importance_weighted_nll
from training.evaluation.measures.latent_density import log_posterior, log_prior_of
from training.evaluation.measures.targets import Targets
from training.evaluation.metrics import Doubles, cross_entropy
from training.evaluation.subject import Subject
from training.evaluation.units import is_bernoulli, to_x

POSTERIOR_SEED = 20_102
MIN_ACTIVE_NATS = 0.2
"""
A latent unit is active if its KL term, as a mean over the test part, is larger.

A unit of a linear model at this bound has a third of its variance from the sample and two thirds from the prior:
the term is -log(1 - share) / 2. Units of a variance above 0.01, the usual bound, may carry 0.005 nats.
"""
MIN_ACTIVE_VARIANCE = 0.01
"""
The variance of an active unit's posterior mean over the test part is larger, too.

With free bits, the KL term of a unit without information is as large as its free bits.
Source: Burda et al., "Importance Weighted Autoencoders", arXiv:1509.00519
"""
TRAINED_PRIOR = (
    "the prior is the flow of prior.onnx: the KL is that of the draw, and a unit's KL is to the Gaussian of its own "
    "mean and variance"
)


def measure_bounds(subject: Subject, binarisation: Binarisation, importance_samples: int) -> Measurement:
    """Return the evidence lower bound and its terms; with importance samples, also the estimate of -log p(x)."""
    targets = Targets(subject, binarisation)
    posterior = targets.posterior()
    values, column_notes = _measure_elbo(targets, posterior)
    notes = [
        f"negative evidence lower bound in nats per sample on {targets.describe()}, beta 1, one posterior draw a "
        f"sample, seed {POSTERIOR_SEED}",
        *([TRAINED_PRIOR] if subject.manifest.has_trained_prior else []),
        f"active: KL above {MIN_ACTIVE_NATS:g} nats, and variance of mu above {MIN_ACTIVE_VARIANCE:g}",
        *column_notes,
    ]
    if importance_samples:
        nats = importance_weighted_nll(targets, posterior, importance_samples)
        values["nll"] = float(nats.mean())
        values["nll_standard_error"] = float(nats.std(ddof=1) / math.sqrt(len(nats))) if len(nats) > 1 else 0.0
        values["importance_samples"] = float(importance_samples)
        notes.append(
            f"nll: -log of the mean importance weight of {importance_samples} posterior draws a sample, seed "
            f"{subject.seed}, an upper bound on -log p(x); its standard error is over samples"
        )
    return Measurement(data_set=subject.description, protocol="; ".join(notes), values=values)


def _measure_elbo(targets: Targets, posterior: Posterior) -> tuple[dict[str, float], list[str]]:
    """Return the bound and its terms, and notes if a column ruins it."""
    assert posterior.logvar is not None
    z, model = posterior.sample(POSTERIOR_SEED), targets.subject.model
    reconstruction = float(-log_likelihoods(targets, z).mean())
    if model.manifest.has_trained_prior:
        by_dimension = kl_to_own_gaussian(posterior.mu, posterior.logvar).mean(axis=0)
        noise = (z - posterior.mu) / np.exp(0.5 * posterior.logvar)
        kl = float((log_posterior(noise, posterior.logvar) - log_prior_of(model)(z)).mean())
    else:
        by_dimension = kl_by_dimension(posterior.mu, posterior.logvar).mean(axis=0)
        kl = float(by_dimension.sum())
    values = {
        "negative_elbo": reconstruction + kl,
        "reconstruction": reconstruction,
        "kl": kl,
        "kl_per_dimension_min": float(by_dimension.min()),
        "kl_per_dimension_max": float(by_dimension.max()),
        "active_units": float(count_active(posterior.mu, by_dimension)),
        "latent_dimensions": float(targets.subject.manifest.latent_dim),
    }
    column = find_ruinous_column(targets, z)
    if column is None:
        return values, []
    return values | column.values(reconstruction + kl), [column.describe(targets.subject.manifest)]


def count_active(mu: Latents, nats: Doubles) -> int:
    """Return the number of active units. Shapes: (N, D), and (D,) for the mean KL terms."""
    return int(((nats > MIN_ACTIVE_NATS) & (mu.astype(np.float64).var(axis=0) > MIN_ACTIVE_VARIANCE)).sum())


def kl_by_dimension(mu: Latents, logvar: Latents) -> Doubles:
    """
    Return KL(N(mu, exp(logvar)) || N(0, 1)) in nats. Shapes: (N, D) and (N, D) -> (N, D).

    Source: Kingma & Welling, "Auto-Encoding Variational Bayes", appendix B, arXiv:1312.6114
    """
    mean, log_variance = mu.astype(np.float64), logvar.astype(np.float64)
    return np.asarray(0.5 * (np.square(mean) + np.exp(log_variance) - 1 - log_variance), np.float64)


def kl_to_own_gaussian(mu: Latents, logvar: Latents) -> Doubles:
    """
    Return the KL of each unit to the Gaussian with the mean and the variance of all its draws, in nats.

    It stands for the terms that a prior without independent units does not have. Shapes: (N, D) and (N, D) -> (N, D).
    """
    mean, variance = mu.astype(np.float64).mean(axis=0), mu.astype(np.float64).var(axis=0)
    variance += np.exp(logvar.astype(np.float64)).mean(axis=0)
    return kl_by_dimension((mu - mean) / np.sqrt(variance), logvar - np.log(variance))


def log_likelihoods(targets: Targets, z: Latents) -> Doubles:
    """Return log p(x|z) in nats of each test row under its own z. Shapes: (N, D) -> (N,)."""
    subject, parts = targets.subject, []
    labels = subject.data.test.labels
    for start, stop in targets.spans():
        decoded = subject.decode(z[start:stop], None if labels is None else labels[start:stop])
        output = to_x(decoded, subject.manifest, clipped=False)
        x = targets.take(start, stop)
        if is_bernoulli(subject.manifest):
            parts.append(-cross_entropy(output, x))  # in double precision, which many draws cannot afford
        else:
            parts.append(log_density(subject.manifest, x, output[:, None])[:, 0])
    return np.concatenate(parts)
