"""Likelihoods of variational models: the evidence lower bound, and an importance-weighted estimate of log p(x)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Posterior
from app.manifest import GaussianLikelihood, Measurement
from training.config import Binarisation
from training.errors import InvalidConfiguration
from training.evaluation.metrics import EPSILON, cross_entropy
from training.evaluation.subject import Subject, spans
from training.evaluation.units import from_x, is_bernoulli, to_x

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

POSTERIOR_SEED = 20_102
BINARISATION_STREAM, IMPORTANCE_STREAM = 1, 2
"""Each row of the test part has generators of its own, seeded with (seed, stream, row)."""
ACTIVE_VARIANCE = 0.01
"""A latent unit is active when the variance of its posterior mean over the test part is larger."""
DECODED_ROWS, DECODED_NUMBERS = 1024, 2**20
"""Draws, and numbers of their samples, that are decoded at a time."""
PROGRESS_SECONDS = 30.0


def measure_bounds(subject: Subject, binarisation: Binarisation, importance_samples: int) -> Measurement:
    """The evidence lower bound and its terms; with importance samples, the estimate of -log p(x) too."""
    targets = Targets(subject, binarisation)
    posterior = targets.posterior()
    assert posterior.logvar is not None
    kl = kl_by_dimension(posterior.mu, posterior.logvar)
    z = posterior.sample(POSTERIOR_SEED)
    reconstruction = float(-log_likelihoods(subject, targets, z).mean())
    by_dimension = kl.mean(axis=0)
    values = {
        "negative_elbo": reconstruction + float(by_dimension.sum()),
        "reconstruction": reconstruction,
        "kl": float(by_dimension.sum()),
        "kl_per_dimension_min": float(by_dimension.min()),
        "kl_per_dimension_max": float(by_dimension.max()),
        "active_units": float((posterior.mu.astype(np.float64).var(axis=0) > ACTIVE_VARIANCE).sum()),
        "latent_dimensions": float(subject.manifest.latent_dim),
    }
    said = [
        f"negative evidence lower bound in nats per sample on {targets.describe()}, beta 1, one posterior draw a "
        f"sample, seed {POSTERIOR_SEED}",
        f"active: variance of mu above {ACTIVE_VARIANCE:g}",
    ]
    if importance_samples:
        nats = nll(subject, targets, posterior, importance_samples)
        values["nll"] = float(nats.mean())
        values["nll_standard_error"] = float(nats.std(ddof=1) / math.sqrt(len(nats))) if len(nats) > 1 else 0.0
        values["importance_samples"] = float(importance_samples)
        said.append(
            f"nll: -log of the mean importance weight of {importance_samples} posterior draws a sample, seed "
            f"{subject.seed}, an upper bound on -log p(x); its standard error is over samples"
        )
    return Measurement(data_set=subject.description, protocol="; ".join(said), values=values)


@dataclass(frozen=True)
class Targets:
    """
    The test part as the likelihood sees it, by row numbers.

    Binarised targets do not depend on how many rows are asked for. Raises InvalidConfiguration where a Gaussian
    likelihood is asked for binarised ones.
    """

    subject: Subject
    binarisation: Binarisation

    def __post_init__(self) -> None:
        if self.binarisation != "none" and not is_bernoulli(self.subject.manifest):
            raise InvalidConfiguration("binarisation belongs to the Bernoulli likelihood; the model's is Gaussian")

    def __len__(self) -> int:
        return len(self.subject.data.test)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where the chunks begin and end."""
        return spans(len(self), self.subject.manifest.input_size)

    def take(self, start: int, stop: int) -> Array:
        """Preprocessed samples. Shape: (stop - start, *shape)"""
        x = to_x(self.subject.data.test.take(slice(start, stop)).in_users_units(), self.subject.manifest)
        if self.binarisation == "none":
            return x
        if self.binarisation == "threshold":
            return (x >= 0.5).astype(np.float32)
        seed, shape = self.subject.seed, x.shape[1:]
        draws = [
            np.random.default_rng((seed, BINARISATION_STREAM, row)).random(shape, np.float32)
            for row in range(start, stop)
        ]
        return (np.stack(draws) < x).astype(np.float32)

    def posterior(self) -> Posterior:
        """The encoder's whole answer for all rows."""
        if self.binarisation == "none":
            return self.subject.posterior(self.subject.data.test)
        parts = [self.subject.model.posterior(from_x(self.take(*span), self.subject.manifest)) for span in self.spans()]
        logvars = [part.logvar for part in parts if part.logvar is not None]
        return Posterior(np.concatenate([part.mu for part in parts]), np.concatenate(logvars))

    def describe(self) -> str:
        """What they are, for the protocol."""
        if not is_bernoulli(self.subject.manifest):
            return "x, the preprocessed samples (a density)"
        return {
            "none": "grey values",
            "threshold": "values rounded to 0 or 1",
            "dynamic": f"values drawn once as 0 or 1, seed {self.subject.seed}",
        }[self.binarisation]


def kl_by_dimension(mu: Array, logvar: Array) -> Doubles:
    """
    KL(N(mu, exp(logvar)) || N(0, 1)) in nats. Shapes: (N, D) and (N, D) -> (N, D)

    Source: Kingma & Welling, "Auto-Encoding Variational Bayes", appendix B, arXiv:1312.6114
    """
    mean, spread = mu.astype(np.float64), logvar.astype(np.float64)
    return np.asarray(0.5 * (np.square(mean) + np.exp(spread) - 1 - spread), np.float64)


def log_likelihoods(subject: Subject, targets: Targets, z: Array) -> Doubles:
    """Log p(x|z) of each test row under its own z, in nats. Shapes: (N, D) -> (N,)"""
    labels, parts = subject.data.test.labels, []
    for start, stop in targets.spans():
        decoded = subject.decode(z[start:stop], None if labels is None else labels[start:stop])
        output = to_x(decoded, subject.manifest, clipped=False)
        x = targets.take(start, stop)
        if is_bernoulli(subject.manifest):
            parts.append(-cross_entropy(output, x))
        else:
            parts.append(_gaussian_score(subject, x)(output[:, None])[:, 0])
    return np.concatenate(parts)


def nll(subject: Subject, targets: Targets, posterior: Posterior, count: int) -> Doubles:
    """
    -log of the mean of `count` importance weights p(x|z) p(z) / q(z|x), z from q(z|x), in nats. Shape: (N,)

    An upper bound on -log p(x) that falls with `count`; one draw gives the negative evidence lower bound of that draw.
    Each row's draws are seeded by its number, so that they do not depend on the chunks.
    Source: Burda et al., "Importance Weighted Autoencoders", equation 8, arXiv:1509.00519
    """
    assert posterior.logvar is not None
    block = subject.rows_within(DECODED_ROWS, DECODED_NUMBERS)
    images, draws = max(1, block // count), min(count, block)
    nats, said = np.empty(len(targets)), time.monotonic()
    for start in range(0, len(targets), images):
        stop = min(start + images, len(targets))
        rows = slice(start, stop)
        weights = _Weights(subject, targets.take(start, stop), posterior.mu[rows], posterior.logvar[rows], start)
        total = np.full(stop - start, -np.inf)
        for first in range(0, count, draws):
            total = np.logaddexp(total, np.logaddexp.reduce(weights.draw(min(draws, count - first)), axis=1))
        nats[rows] = math.log(count) - total
        if time.monotonic() - said > PROGRESS_SECONDS:
            said = time.monotonic()
            log.info("importance sampling: %d of %d test samples, nll %.2f", stop, len(targets), nats[:stop].mean())
    return nats


class _Weights:
    """log p(x|z) + log p(z) - log q(z|x) for draws of q(z|x), of a few neighbouring rows."""

    def __init__(self, subject: Subject, x: Array, mu: Array, logvar: Array, first_row: int) -> None:
        self._subject, self._mu, self._logvar = subject, mu[:, None], logvar[:, None]
        self._std = np.exp(np.float32(0.5) * self._logvar)
        rows = range(first_row, first_row + len(x))
        self._streams = [np.random.default_rng((subject.seed, IMPORTANCE_STREAM, row)) for row in rows]
        labels = subject.data.test.labels
        self._labels = None if labels is None else labels[rows.start : rows.stop]
        self._score = _bernoulli_score(x) if is_bernoulli(subject.manifest) else _gaussian_score(subject, x)

    def draw(self, count: int) -> Doubles:
        """The next log weights of each row, in nats. Shape: (rows, count)"""
        size = (count, self._mu.shape[-1])
        noise = np.stack([stream.standard_normal(size, np.float32) for stream in self._streams])
        z = self._mu + self._std * noise
        labels = None if self._labels is None else np.repeat(self._labels, count)
        decoded = self._subject.decode(z.reshape(-1, size[1]), labels)
        output = to_x(decoded, self._subject.manifest, clipped=False)
        # (z - mu) / std is the noise, and the constants of the two normal densities cancel
        ratio = 0.5 * (np.square(noise) + self._logvar - np.square(z)).sum(axis=-1, dtype=np.float64)
        return np.asarray(self._score(output.reshape(len(noise), count, *output.shape[1:])) + ratio, np.float64)


def _bernoulli_score(x: Array) -> Callable[[Array], Doubles]:
    """
    Log p(x|z) from outputs in (0, 1) for many draws a row. Shapes: x (N, *shape); (N, K, *shape) -> (N, K)

    In float32 and in place, but for the sums: the decoder alone should take the time.
    """
    target = x.reshape(len(x), 1, -1)
    low, high = np.float32(EPSILON), np.float32(1 - EPSILON)
    if np.isin(target, (0, 1)).all():
        absent = 1 - target

        def binary(output: Array) -> Doubles:
            p = output.reshape(*output.shape[:2], -1)
            p = np.abs(np.subtract(p, absent, out=p), out=p)  # p where x is 1, and 1 - p where it is 0
            return np.asarray(np.log(np.clip(p, low, high, out=p), out=p).sum(axis=-1, dtype=np.float64))

        return binary

    def grey(output: Array) -> Doubles:
        p = np.clip(output.reshape(*output.shape[:2], -1), low, high)
        return np.asarray((target * np.log(p) + (1 - target) * np.log1p(-p)).sum(axis=-1, dtype=np.float64))

    return grey


def _gaussian_score(subject: Subject, x: Array) -> Callable[[Array], Doubles]:
    """Log N(x; output, diag(exp(logvar))), all constants. Shapes: x (N, *shape); (N, K, *shape) -> (N, K)"""
    likelihood = subject.manifest.likelihood
    assert isinstance(likelihood, GaussianLikelihood)
    logvar = np.array(likelihood.logvar, np.float64).reshape(-1, *[1] * (x.ndim - 2))
    precision = np.exp(-logvar).astype(np.float32)
    constant = float(np.broadcast_to(logvar + math.log(2 * math.pi), x.shape[1:]).sum())
    axes = tuple(range(2, x.ndim + 1))

    def score(output: Array) -> Doubles:
        squares = np.square(output - x[:, None]) * precision
        return np.asarray(-0.5 * (squares.sum(axis=axes, dtype=np.float64) + constant))

    return score
