"""Numbers against hand calculation and second sources."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_squared_error
from torch.distributions import Normal, kl_divergence

from app.engine.repository import load_version
from app.manifest import Manifest
from training.baselines import LinearAutoencoder, RidgeDenoiser, knn_accuracy, median_denoiser
from training.config import Config
from training.data import DataSet
from training.evaluation import POSTERIOR_SEED, bce, evaluate, mse, psnr


def test_psnr_is_the_mean_over_samples_and_not_of_the_mean_error() -> None:
    target = np.zeros((2, 1, 1, 4), np.float32)
    output = target.copy()
    output[0], output[1] = 0.1, 0.01
    assert psnr(output, target) == pytest.approx((20 + 40) / 2, rel=1e-5)
    assert mse(output, target) == pytest.approx(mean_squared_error(target.ravel(), output.ravel()))


def test_bce_equals_torchs_and_its_floor_is_the_targets_entropy() -> None:
    random = np.random.default_rng(0)
    target, output = random.random((2, 5, 1, 3, 3)).astype(np.float32) * 0.9 + 0.05
    expected = torch.nn.functional.binary_cross_entropy(torch.from_numpy(output), torch.from_numpy(target))
    assert bce(output, target) == pytest.approx(expected.item(), rel=1e-5)
    half = np.full((1, 1, 1, 1), 0.5, np.float32)
    assert bce(half, half) == pytest.approx(math.log(2))
    assert bce(output, target) > bce(target, target)


def test_certain_and_wrong_is_expensive_but_finite() -> None:
    assert bce(np.zeros((1, 1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32)) == pytest.approx(-math.log(1e-6))


def test_pca_finds_a_plane_in_space() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((200, 2)).astype(np.float32) @ random.standard_normal((2, 9)).astype(np.float32)
    samples = rows.reshape(200, 1, 3, 3)
    assert mse(LinearAutoencoder.fit(samples, 2).reconstruct(samples), samples) < 1e-8
    assert mse(LinearAutoencoder.fit(samples, 1).reconstruct(samples), samples) > 1e-3


def test_the_ridge_denoiser_learns_a_linear_map_and_is_clipped() -> None:
    random = np.random.default_rng(0)
    noisy = random.random((500, 1, 2, 2)).astype(np.float32)
    ridge = RidgeDenoiser.fit(noisy, 0.5 * noisy)
    assert mse(ridge.denoise(noisy), 0.5 * noisy) < 1e-4
    assert ridge.denoise(np.full((1, 1, 2, 2), 9, np.float32)).max() == 1


def test_the_median_is_taken_within_an_image() -> None:
    images = np.zeros((3, 1, 5, 5), np.float32)
    images[0, 0, 2, 2] = 1  # a speck goes
    images[1] = 1  # a full image stays, whatever its neighbours
    assert median_denoiser(images)[0].max() == 0
    assert median_denoiser(images)[1].min() == 1


def test_neighbours_are_training_rows() -> None:
    latents = np.array([[0.0]] * 5 + [[10.0]] * 5, np.float32)
    labels = np.array([1] * 5 + [2] * 5)
    test = np.array([[0.1], [9.9], [9.8]], np.float32)
    assert knn_accuracy(latents, labels, test, np.array([1, 2, 1])) == pytest.approx(2 / 3)


def test_evaluating_the_onnx_files_again_gives_the_manifests_numbers(exported: Path, digits: DataSet) -> None:
    manifest = Manifest.read(exported)
    assert manifest.training is not None
    model = load_version(exported, manifest.name, manifest.version)
    again = evaluate(model, digits, Config.model_validate(manifest.training.configuration))
    for first, second in zip(manifest.metrics, again, strict=True):
        assert first.protocol == second.protocol
        assert second.values == pytest.approx(first.values, rel=1e-4)


def test_the_bound_equals_torchs(exported: Path, digits: DataSet) -> None:
    if "vae" not in str(exported):
        pytest.skip("variational models only")
    model = load_version(exported, exported.parent.name, 1)
    samples = digits.test.in_users_units()
    posterior = model.posterior(samples)
    assert posterior.logvar is not None
    mu, std = torch.from_numpy(posterior.mu), torch.from_numpy(np.exp(0.5 * posterior.logvar))
    kl = kl_divergence(Normal(mu, std), Normal(0.0, 1.0)).sum(1).mean().item()
    p = torch.from_numpy(model.decode(posterior.sample(POSTERIOR_SEED))) / 16
    x = torch.from_numpy(samples) / 16
    reconstruction = torch.nn.functional.binary_cross_entropy(p, x, reduction="none").flatten(1).sum(1).mean().item()
    bound = Manifest.read(exported).metrics[-1].values
    assert bound["kl"] == pytest.approx(kl, rel=1e-4)
    assert bound["reconstruction"] == pytest.approx(reconstruction, rel=1e-3)
    assert bound["negative_elbo"] == pytest.approx(reconstruction + kl, rel=1e-3)
    floor = 64 * bce(x.numpy(), x.numpy())
    assert bound["reconstruction"] > floor
    assert bound["active_units"] == (posterior.mu.var(axis=0) > 0.01).sum() == 2
