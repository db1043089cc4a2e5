"""The density of latents under the prior of a variational model's bound: N(0, I), or a flow trained with the pair."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from app.arrays import Latents
from app.engine.autoencoder import Autoencoder
from training.evaluation.metrics import Doubles
from training.priors.choice import standard_normal
from training.priors.codes import Codes
from training.priors.flows.stored import flow_of_bound

LogPrior = Callable[[Latents], Doubles]
"""Returns log p(z) in nats, with all constants. Shapes: (..., D) -> (...)."""


def log_prior_of(model: Autoencoder) -> LogPrior:
    """Return the density of the prior that is part of a model's bound. A prior that was fitted later is not."""
    flow = flow_of_bound(model)
    if flow is None:
        return standard_normal

    def log_prior(z: Latents) -> Doubles:
        return flow.log_likelihoods(Codes(z.reshape(-1, z.shape[-1]).astype(np.float64))).reshape(z.shape[:-1])

    return log_prior


def log_posterior(noise: Latents, logvar: Latents) -> Doubles:
    """
    Return log N(z; mu, diag(exp(logvar))) for z = mu + exp(logvar/2) * noise, in nats.

    Shapes: (..., D) and any that broadcasts to it -> (...)
    """
    squares = (np.square(noise) + logvar).sum(axis=-1, dtype=np.float64)
    return np.asarray(-0.5 * (squares + noise.shape[-1] * math.log(2 * math.pi)), np.float64)
