"""
Numbers of a model, measured through onnxruntime, beside those of the baselines.

All errors are of samples mapped to [0, 1], so that they compare across data sets.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from app.engine.autoencoder import Autoencoder
from app.manifest import Measurement, ValueRange
from training.baselines import LinearAutoencoder, RidgeDenoiser, knn_accuracy, median_denoiser
from training.config import Config
from training.data import DataSet, Split
from training.networks import build_network

Array = npt.NDArray[np.float32]

NOISE_LEVELS = (0.4, 0.5)
NOISE_SEED = 20_101
POSTERIOR_SEED = 20_102
FIT_ROWS = 20_000
"""Training rows that the ridge denoiser is fitted on: more change its third digit."""
EPSILON = 1e-6
ACTIVE_VARIANCE = 0.01
"""A latent unit is active when the variance of its posterior mean over the test set is larger."""


def evaluate(model: Autoencoder, data: DataSet, config: Config) -> tuple[Measurement, ...]:
    """The measurements that the model's tasks allow, on the test part; baselines are fitted on the training part."""
    measured = [_reconstruction(model, data, config), _latents(model, data, config)]
    if "denoise" in model.manifest.tasks:
        measured += [_denoising(model, data, level) for level in NOISE_LEVELS]
    if model.manifest.latent.kind == "gaussian":
        measured.append(_bound(model, data))
    return tuple(measured)


def to_unit(samples: Array, value_range: ValueRange) -> Array:
    """From the user's units to [0, 1]."""
    return (samples - np.float32(value_range.low)) / np.float32(value_range.span)


def mse(output: Array, target: Array) -> float:
    """Mean squared error over all numbers."""
    return float(np.square(output - target).mean(dtype=np.float64))


def psnr(output: Array, target: Array) -> float:
    """Peak signal-to-noise ratio in dB for a peak of 1: the mean over samples, each from its own squared error."""
    errors = np.square(output - target).reshape(len(target), -1).mean(axis=1, dtype=np.float64)
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))


def cross_entropy(output: Array, target: Array, margin: float = EPSILON) -> Array:
    """
    Bernoulli cross-entropy in nats per sample; outputs are kept `margin` away from 0 and 1.

    Shapes: (N, *shape) and (N, *shape) -> (N,)
    """
    p = np.clip(output.astype(np.float64), margin, 1 - margin)
    nats = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    return np.asarray(nats.reshape(len(target), -1).sum(axis=1), np.float32)


def bce(output: Array, target: Array, margin: float = EPSILON) -> float:
    """Mean cross-entropy in nats per number."""
    return float(cross_entropy(output, target, margin).mean(dtype=np.float64)) / float(np.prod(target.shape[1:]))


def _reconstruction(model: Autoencoder, data: DataSet, config: Config) -> Measurement:
    value_range = data.input.value_range
    samples = data.test.in_users_units()
    target = to_unit(samples, value_range)
    output = to_unit(model.reconstruct(samples).samples, value_range)
    pca = LinearAutoencoder.fit(to_unit(data.train.in_users_units(), value_range), model.manifest.latent_dim)
    linear = pca.reconstruct(target)
    blank = _untrained(data, config, lambda network, x: network.reconstruct(x))
    return Measurement(
        data_set=_describe(data),
        protocol="decode(encode(x)), x in [0, 1]; BCE in nats per number, bce_excess above the targets' own entropy; "
        "PCA of the same number of components, fitted on the training rows, its BCE from outputs in [0.01, 0.99]; "
        "untrained: the same network before training",
        values={
            "mse": mse(output, target),
            "psnr": psnr(output, target),
            "bce": bce(output, target),
            "bce_excess": bce(output, target) - bce(target, target),
            "pca_mse": mse(linear, target),
            "pca_bce": bce(linear, target, margin=0.01),
            "untrained_mse": mse(blank, target),
        },
    )


def _latents(model: Autoencoder, data: DataSet, config: Config) -> Measurement:
    train, test = data.train, data.test
    codes, test_codes = model.encode(train.in_users_units()), model.encode(test.in_users_units())
    unit = to_unit(train.in_users_units(), data.input.value_range)
    pca = LinearAutoencoder.fit(unit, model.manifest.latent_dim)
    linear, test_linear = (
        pca.encode(unit),
        pca.encode(to_unit(test.in_users_units(), data.input.value_range)),
    )
    blank = _untrained(data, config, lambda network, x: network.encode(x), train)
    test_blank = _untrained(data, config, lambda network, x: network.encode(x))
    return Measurement(
        data_set=_describe(data),
        protocol="5-nearest-neighbour accuracy of the latents (means), neighbours from the training rows",
        values={
            "knn_accuracy": knn_accuracy(codes, train.labels, test_codes, test.labels),
            "pca_knn_accuracy": knn_accuracy(linear, train.labels, test_linear, test.labels),
            "untrained_knn_accuracy": knn_accuracy(blank, train.labels, test_blank, test.labels),
        },
    )


def _denoising(model: Autoencoder, data: DataSet, level: float) -> Measurement:
    value_range = data.input.value_range
    samples = data.test.in_users_units()
    target = to_unit(samples, value_range)
    noisy_samples = model.corrupt(samples, "gaussian", level, NOISE_SEED)
    noisy = to_unit(noisy_samples, value_range)
    output = to_unit(model.denoise(noisy_samples), value_range)
    clean = data.train.take(slice(FIT_ROWS)).in_users_units()
    ridge = RidgeDenoiser.fit(
        to_unit(model.corrupt(clean, "gaussian", level, NOISE_SEED + 1), value_range),
        to_unit(clean, value_range),
    )
    return Measurement(
        data_set=_describe(data),
        protocol=f"Gaussian noise of standard deviation {level:g} (of the value range), clipped to it, "
        f"seed {NOISE_SEED}; PSNR in dB, mean over samples; median: 3x3; ridge: linear, "
        f"fitted on {len(clean)} noisy training rows",
        values={
            "noise_std": level,
            "psnr": psnr(output, target),
            "mse": mse(output, target),
            "bce": bce(output, target),
            "noisy_psnr": psnr(noisy, target),
            "median_psnr": psnr(median_denoiser(noisy), target),
            "ridge_psnr": psnr(ridge.denoise(noisy), target),
        },
    )


def _bound(model: Autoencoder, data: DataSet) -> Measurement:
    samples = data.test.in_users_units()
    posterior = model.posterior(samples)
    assert posterior.logvar is not None
    mu, logvar = posterior.mu.astype(np.float64), posterior.logvar.astype(np.float64)
    output = to_unit(model.decode(posterior.sample(POSTERIOR_SEED)), data.input.value_range)
    reconstruction = float(cross_entropy(output, to_unit(samples, data.input.value_range)).mean(dtype=np.float64))
    kl = float(0.5 * (np.square(mu) + np.exp(logvar) - 1 - logvar).sum(axis=1).mean())
    return Measurement(
        data_set=_describe(data),
        protocol="negative evidence lower bound in nats per sample on grey values, beta 1, "
        f"one posterior draw a sample, seed {POSTERIOR_SEED}; active: variance of mu above {ACTIVE_VARIANCE:g}",
        values={
            "negative_elbo": reconstruction + kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "active_units": float((mu.var(axis=0) > ACTIVE_VARIANCE).sum()),
        },
    )


def _untrained(
    data: DataSet,
    config: Config,
    answer: Callable[..., torch.Tensor],
    split: Split | None = None,
) -> Array:
    """What the network answers before its first step, on the test part or on another."""
    network = build_network(config, data.input.shape).eval()
    samples = torch.from_numpy(to_unit((split or data.test).in_users_units(), data.input.value_range))
    with torch.no_grad():
        return np.concatenate([answer(network, rows).numpy() for rows in torch.split(samples, 512)])


def _describe(data: DataSet) -> str:
    return f"{data.name}, test part, {len(data.test)} samples"
