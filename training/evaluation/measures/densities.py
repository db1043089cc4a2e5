"""Log p(x|z) of several decoder outputs for each sample, in float32 except the sums: decoding should take the time."""

from __future__ import annotations

import math

import numpy as np

from app.arrays import Array, Samples
from app.manifest import GaussianLikelihood, Manifest
from training.evaluation.metrics import EPSILON, Doubles
from training.evaluation.units import is_bernoulli


def log_density(manifest: Manifest, x: Samples, output: Array) -> Doubles:
    """
    Return log p(x|z) in nats, for K decoder outputs per sample, in the network's units; may overwrite the outputs.

    Shapes: x (N, *shape), output (N, K, *shape) -> (N, K)
    """
    if is_bernoulli(manifest):
        return bernoulli_log_density(x, output)
    assert isinstance(manifest.likelihood, GaussianLikelihood)
    return gaussian_log_density(x, output, manifest.likelihood.logvar)


def bernoulli_log_density(x: Samples, output: Array) -> Doubles:
    """
    Return the log density under probabilities `output`; may overwrite them.

    Shapes: x (N, *shape), output (N, K, *shape) -> (N, K)
    """
    target, p = x.reshape(len(x), 1, -1), output.reshape(*output.shape[:2], -1)
    low, high = np.float32(EPSILON), np.float32(1 - EPSILON)
    if np.isin(target, (0, 1)).all():
        p = np.abs(np.subtract(p, 1 - target, out=p), out=p)  # p where x is 1, and 1 - p where it is 0
        return np.asarray(np.log(np.clip(p, low, high, out=p), out=p).sum(axis=-1, dtype=np.float64))
    p = np.clip(p, low, high)
    return np.asarray((target * np.log(p) + (1 - target) * np.log1p(-p)).sum(axis=-1, dtype=np.float64))


def gaussian_log_density(x: Samples, output: Array, logvars: tuple[float, ...]) -> Doubles:
    """
    Return log N(x; output, diag(exp(logvar))) with all its constants; `logvars` has one number per feature or channel.

    Shapes: x (N, *shape), output (N, K, *shape) -> (N, K)
    """
    logvar = np.array(logvars, np.float64).reshape(-1, *[1] * (x.ndim - 2))
    precision = np.exp(-logvar).astype(np.float32)
    constant = float(np.broadcast_to(logvar + math.log(2 * math.pi), x.shape[1:]).sum())
    squares = np.square(output - x[:, None]) * precision
    return np.asarray(-0.5 * (squares.sum(axis=tuple(range(2, x.ndim + 1)), dtype=np.float64) + constant))
