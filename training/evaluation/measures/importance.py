"""An importance-weighted estimate of log p(x) under a variational model."""

from __future__ import annotations

import logging
import math
import time

import numpy as np

from app.arrays import Labels, Latents, Samples
from app.engine.results import Posterior
from training.evaluation.measures.densities import log_density
from training.evaluation.measures.latent_density import LogPrior, log_posterior, log_prior_of
from training.evaluation.measures.targets import Targets
from training.evaluation.metrics import Doubles
from training.evaluation.subject import Subject
from training.evaluation.units import to_x

log = logging.getLogger(__name__)

IMPORTANCE_STREAM = 2
"""Each test row's generator is seeded with (seed, stream, row), so that its draws do not depend on the chunks."""


def importance_weighted_nll(targets: Targets, posterior: Posterior, count: int) -> Doubles:
    """
    Return -log of the mean of `count` importance weights p(x|z) p(z) / q(z|x), z from q(z|x), in nats. Shape: (N,).

    It is an upper bound on -log p(x) that falls with `count`; one draw gives the negative evidence lower bound of that
    draw.
    Source: Burda et al., "Importance Weighted Autoencoders", equation 8, arXiv:1509.00519
    """
    limits = targets.subject.limits
    max_decoded = targets.subject.row_count(limits.decoded)
    chunk_rows, max_draws = max(1, max_decoded // count), min(count, max_decoded)
    log_prior = log_prior_of(targets.subject.model)
    nats, logged = np.empty(len(targets)), time.monotonic()
    for start in range(0, len(targets), chunk_rows):
        stop = min(start + chunk_rows, len(targets))
        weights = WeightSampler.of(targets, posterior, start, stop, log_prior)
        total = np.full(stop - start, -np.inf)
        for first in range(0, count, max_draws):
            log_weights = weights.draw(min(max_draws, count - first))
            total = np.logaddexp(total, np.logaddexp.reduce(log_weights, axis=1))
        nats[start:stop] = math.log(count) - total
        if time.monotonic() - logged > limits.progress_seconds:
            logged = time.monotonic()
            log.info("importance sampling: %d of %d test samples, nll %.2f", stop, len(targets), nats[:stop].mean())
    return nats


class WeightSampler:
    """
    Random log importance weights of neighbouring rows: log p(x|z) + log p(z) - log q(z|x) for z from q(z|x).

        x           (n, *shape)
        mu, logvar  (n, latent_dim)
        labels      (n,), numbers of the data's classes, or None
    """

    def __init__(
        self,
        subject: Subject,
        x: Samples,
        mu: Latents,
        logvar: Latents,
        labels: Labels | None,
        first_row: int,
        log_prior: LogPrior,
    ) -> None:
        self._log_prior = log_prior
        self._subject, self._x, self._labels = subject, x, labels
        self._mu, self._logvar = mu[:, None], logvar[:, None]
        self._std = np.exp(np.float32(0.5) * self._logvar)
        rows = range(first_row, first_row + len(x))
        self._generators = [np.random.default_rng((subject.seed, IMPORTANCE_STREAM, row)) for row in rows]

    @classmethod
    def of(cls, targets: Targets, posterior: Posterior, start: int, stop: int, log_prior: LogPrior) -> WeightSampler:
        """Return the sampler of the test rows from `start` up to `stop`."""
        assert posterior.logvar is not None
        labels, rows = targets.subject.data.test.labels, slice(start, stop)
        row_labels = None if labels is None else labels[rows]
        x = targets.take(start, stop)
        return cls(targets.subject, x, posterior.mu[rows], posterior.logvar[rows], row_labels, start, log_prior)

    def draw(self, count: int) -> Doubles:
        """Return the next `count` log weights of each row, in nats. Shape: (n, count)."""
        size = (count, self._mu.shape[-1])
        noise = np.stack([generator.standard_normal(size, np.float32) for generator in self._generators])
        z = self._mu + self._std * noise
        labels = None if self._labels is None else np.repeat(self._labels, count)
        decoded = self._subject.decode(z.reshape(-1, size[1]), labels)
        output = to_x(decoded, self._subject.manifest, clipped=False)
        output = output.reshape(len(noise), count, *output.shape[1:])
        ratio = self._log_prior(z) - log_posterior(noise, self._logvar)  # (z - mu) / std is the noise
        return np.asarray(log_density(self._subject.manifest, self._x, output) + ratio, np.float64)
