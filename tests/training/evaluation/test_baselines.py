"""Baselines agree with hand calculations, with second sources, and with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from training.evaluation.baselines import (
    EXACT_FEATURES,
    LinearAutoencoder,
    RidgeDenoiser,
    best_strength,
    blur_denoiser,
    knn_accuracy,
    median_denoiser,
    probe_accuracy,
    total_variation_denoiser,
    trusted_neighbours,
    wavelet_denoiser,
)
from training.evaluation.metrics import mse

Images = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def squares(count: int, side: int = 16, channels: int = 1) -> Images:
    """Return grey images with a brighter square at a random place, which image denoisers restore well."""
    random = np.random.default_rng(3)
    images = np.full((count, channels, side, side), 0.3, np.float32)
    for image in images:
        top, left = random.integers(1, side // 2, 2)
        image[:, top : top + side // 2, left : left + side // 2] = 0.7
    return images


def noisy(clean: Images, std: float) -> Images:
    """Add Gaussian noise, without clipping."""
    return clean + np.float32(std) * np.random.default_rng(4).standard_normal(clean.shape, np.float32)


def test_pca_finds_a_plane_in_space() -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((200, 2)).astype(np.float32) @ random.standard_normal((2, 9)).astype(np.float32)
    samples = rows.reshape(200, 1, 3, 3)
    assert mse(LinearAutoencoder.fit(samples, 2).reconstruct(samples), samples) < 1e-8
    assert mse(LinearAutoencoder.fit(samples, 1).reconstruct(samples), samples) > 1e-3


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_pca_of_rows_that_are_all_the_same_returns_them(rows: int) -> None:
    samples = np.full((rows, 3), 7, np.float32)
    assert LinearAutoencoder.fit(samples, 2).reconstruct(samples).tolist() == samples.tolist()


def test_the_first_components_are_a_smaller_pca() -> None:
    samples = np.random.default_rng(2).standard_normal((40, 6)).astype(np.float32)
    large, small = LinearAutoencoder.fit(samples, 5), LinearAutoencoder.fit(samples, 2)
    np.testing.assert_allclose(large.reconstruct(samples, 2), small.reconstruct(samples), atol=1e-5)


def test_pca_of_many_features_is_as_good_as_the_exact_one() -> None:
    random = np.random.default_rng(0)
    scales = np.array([30, 20, 10, *[1] * 27])
    features = EXACT_FEATURES + 1
    rows = (random.standard_normal((60, 30)) * scales) @ random.standard_normal((30, features)) / features
    samples = rows.astype(np.float32)
    exact = PCA(3, svd_solver="full").fit(samples)
    fitted = LinearAutoencoder.fit(samples, 3)
    expected = float(np.square(exact.inverse_transform(exact.transform(samples)) - samples).mean())
    assert mse(fitted.reconstruct(samples), samples) == pytest.approx(expected, rel=1e-3)


def test_the_ridge_denoiser_learns_a_linear_map_and_clips_on_request() -> None:
    random = np.random.default_rng(0)
    samples = random.random((500, 1, 2, 2)).astype(np.float32)
    ridge = RidgeDenoiser.fit(samples, 0.5 * samples)
    assert mse(ridge.denoise(samples), 0.5 * samples) < 1e-4
    large = np.full((1, 1, 2, 2), 9, np.float32)
    assert ridge.denoise(large).max() == 1
    unclipped = RidgeDenoiser.fit(samples, 0.5 * samples, clipped=False)
    assert unclipped.denoise(large).ravel() == pytest.approx(4.5, abs=0.3)


def test_the_median_is_taken_within_an_image() -> None:
    images = np.zeros((3, 1, 5, 5), np.float32)
    images[0, 0, 2, 2] = 1  # a speck, which the median removes
    images[1] = 1  # a full image, which the median leaves as it is
    assert median_denoiser(images)[0].max() == 0
    assert median_denoiser(images)[1].min() == 1


def test_the_blur_stays_within_an_image_and_its_channel() -> None:
    images = np.zeros((2, 3, 9, 9), np.float32)
    images[0, 1, 4, 4] = 1
    blurred = blur_denoiser(images)
    assert blurred[1].max() == blurred[0, 0].max() == blurred[0, 2].max() == 0
    assert blurred[0, 1].sum() == pytest.approx(1, rel=1e-4)
    centre, beside = blurred[0, 1, 4, 4], blurred[0, 1, 4, 5]
    assert beside / centre == pytest.approx(np.exp(-0.5), rel=1e-5)  # a normal density of deviation 1


@pytest.mark.parametrize("channels", [1, 3])
def test_total_variation_and_wavelets_remove_noise(channels: int) -> None:
    clean = squares(4, channels=channels)
    samples = noisy(clean, 0.1)
    for cleaned in (total_variation_denoiser(samples, 0.1), wavelet_denoiser(samples, 0.1)):
        assert cleaned.shape == clean.shape
        assert mse(cleaned, clean) < 0.5 * mse(samples, clean)
    dark = total_variation_denoiser(samples - 5, 0.1)
    assert dark.min() == dark.max() == 0


def test_the_smallest_images_can_be_denoised() -> None:
    tiny = np.random.default_rng(0).random((2, 1, 2, 2)).astype(np.float32)
    for cleaned in (total_variation_denoiser(tiny, 0.1), wavelet_denoiser(tiny, 0.1)):
        assert cleaned.shape == tiny.shape
        assert np.isfinite(cleaned).all()


def test_the_best_strength_has_the_least_squared_error() -> None:
    clean = np.full((5, 1, 2, 2), 0.5, np.float32)
    strength = best_strength(lambda x, amount: x - np.float32(amount), clean + np.float32(0.2), clean, (0.0, 0.2, 0.4))
    assert strength == 0.2
    weights = (0.001, 0.1, 5.0)
    images = squares(20)
    assert best_strength(total_variation_denoiser, noisy(images, 0.1), images, weights) == 0.1


def test_neighbours_are_training_rows() -> None:
    latents = np.array([[0.0]] * 5 + [[10.0]] * 5, np.float32)
    labels = np.array([1] * 5 + [2] * 5)
    test = np.array([[0.1], [9.9], [9.8]], np.float32)
    assert knn_accuracy(latents, labels, test, np.array([1, 2, 1])) == pytest.approx(2 / 3)


def test_a_linear_probe_separates_sides_but_not_rings() -> None:
    random = np.random.default_rng(0)
    points = random.standard_normal((2000, 2)).astype(np.float32)
    points *= np.array([1000, 1], np.float32)  # the probe standardises them
    sides = (points[:, 1] > 0).astype(np.int64)
    rings = (np.square(points / [1000, 1]).sum(axis=1) > 1.386).astype(np.int64)  # the median: two equal halves
    assert probe_accuracy(points[:1000], sides[:1000], points[1000:], sides[1000:]) > 0.98
    assert probe_accuracy(points[:1000], rings[:1000], points[1000:], rings[1000:]) < 0.6


def test_trustworthiness_is_1_for_the_samples_themselves_and_low_for_noise() -> None:
    random = np.random.default_rng(0)
    samples = random.standard_normal((100, 1, 2, 2)).astype(np.float32)
    assert trusted_neighbours(samples, 3 * samples.reshape(100, 4)) == 1
    assert trusted_neighbours(samples, random.standard_normal((100, 2)).astype(np.float32)) < 0.7
    assert trusted_neighbours(samples[:3], samples[:3].reshape(3, 4)) == 1
