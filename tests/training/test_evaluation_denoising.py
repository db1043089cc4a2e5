"""Denoisers beside each other, on the noise that the service makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity
from sklearn.linear_model import Ridge

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.manifest import ImageInput, ValueRange
from tests.helpers import tiny
from tests.helpers.linear import Linear, write_linear
from training.config import NoiseKind
from training.data.dataset import DataSet, Split
from training.errors import InvalidConfiguration
from training.evaluation import NOISE_SEED, Subject, denoising, mse, psnr
from training.evaluation.denoising import corrupted, measure_denoising

METHODS = ("", "noisy_", "median_", "blur_", "ridge_", "tv_", "wavelet_")
SQUARES = ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=2))


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """A denoiser of 8 x 8 pixels that gives back what it is given."""
    folder = tiny.write_mirror(tmp_path_factory.mktemp("mirror"), "mirror", SQUARES)
    return load_version(folder, "mirror", 1)


@pytest.fixture(scope="module")
def squares(mirror: Autoencoder) -> Subject:
    """Grey images with a brighter square, 60 to train on and 25 to test."""
    random = np.random.default_rng(3)
    samples = np.full((85, 1, 8, 8), 0.6, np.float32)
    for image in samples:
        top, left = random.integers(0, 5, 2)
        image[:, top : top + 4, left : left + 4] = 1.4
    whole = Split(samples, None, 1.0)
    train, test = whole.take(slice(60)), whole.take(slice(60, 85))
    return Subject.of(mirror, DataSet("squares", SQUARES, (), train, train.take(slice(1)), test))


@pytest.fixture
def table(tmp_path: Path) -> tuple[Linear, Subject]:
    """A model of a table without a value range."""
    linear = write_linear(tmp_path)
    return linear, Subject.of(linear.model, linear.data)


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt-and-pepper"])
def test_images_are_given_the_services_noise(squares: Subject, kind: NoiseKind) -> None:
    values = measure_denoising(squares, kind, 0.2).values
    clean = squares.data.test.in_users_units()
    noisy = squares.model.corrupt(clean, kind, 0.2, NOISE_SEED)
    unit, target = (noisy / 2).astype(np.float64), (clean / 2).astype(np.float64)
    errors = np.square(unit - target).mean(axis=(1, 2, 3))
    similar = [structural_similarity(a[0], b[0], data_range=1) for a, b in zip(unit, target, strict=True)]
    assert values["noise_amount"] == 0.2
    assert values["noisy_psnr"] == pytest.approx((-10 * np.log10(errors)).mean(), rel=1e-5)
    assert values["noisy_ssim"] == pytest.approx(np.mean(similar), rel=1e-5)
    assert values["psnr"] == values["noisy_psnr"]  # the model is a mirror
    assert values["mse"] == pytest.approx(errors.mean(), rel=1e-5)
    assert {f"{method}{name}" for method in METHODS for name in ("psnr", "ssim")} <= values.keys()
    assert "bce" in values


def test_each_method_takes_some_of_the_noise_away(squares: Subject) -> None:
    values = measure_denoising(squares, "gaussian", 0.15).values
    for method in METHODS[2:]:
        assert values[f"{method}psnr"] > values["noisy_psnr"] + 1, method
        assert values[f"{method}ssim"] > values["noisy_ssim"], method


def test_strengths_are_chosen_on_training_rows_and_told(squares: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    measurement = measure_denoising(squares, "gaussian", 0.15)
    seen: list[tuple[int, ...]] = []

    def spy(denoiser: object, noisy: np.ndarray, clean: np.ndarray, strengths: tuple[float, ...]) -> float:
        train = squares.data.train.in_users_units() / 2
        assert all((train == image).all(axis=(1, 2, 3)).any() for image in clean)
        seen.append(noisy.shape)
        return strengths[-1]

    monkeypatch.setattr(denoising, "best_strength", spy)
    monkeypatch.setattr(denoising, "TUNING_ROWS", 11)
    monkeypatch.setattr(denoising, "SLOW_ROWS", 10)
    worse = measure_denoising(squares, "gaussian", 0.15)
    assert seen == [(11, 1, 8, 8)] * 2
    assert "total variation of weight 0.9, wavelet: BayesShrink of sigma 0.7" in worse.protocol
    assert "chosen on 11 noisy training rows and measured on the first 10 test rows" in worse.protocol
    assert worse.values["tv_psnr"] < measurement.values["tv_psnr"]
    assert worse.values["psnr"] == measurement.values["psnr"]


def test_a_table_is_given_noise_of_its_standardised_columns(table: tuple[Linear, Subject]) -> None:
    linear, subject = table
    measurement = measure_denoising(subject, "gaussian", 0.5)
    x = linear.x()
    noise = np.random.default_rng(NOISE_SEED).standard_normal(x.shape, np.float32)
    noisy = x + 0.5 * noise
    posterior = linear.model.encode((linear.shift + linear.scale * noisy).astype(np.float32))
    restored = posterior @ linear.weights.T + linear.bias
    train = (linear.data.train.samples - linear.shift) / linear.scale
    train_noise = np.random.default_rng(NOISE_SEED + 1).standard_normal(train.shape, np.float32)
    ridge = Ridge(alpha=1.0).fit(train + 0.5 * train_noise, train)
    assert measurement.values == pytest.approx(
        {
            "noise_amount": 0.5,
            "mse": np.square(restored - x).mean(),
            "noisy_mse": np.square(0.5 * noise).mean(),
            "ridge_mse": np.square(ridge.predict(noisy) - x).mean(),
        },
        rel=1e-4,
    )
    assert "standard deviation 0.5 on the preprocessed columns" in measurement.protocol


def test_a_masked_number_of_a_table_is_its_columns_mean(table: tuple[Linear, Subject]) -> None:
    linear, subject = table
    clean = linear.data.test.in_users_units()
    noisy = corrupted(subject, clean, "masking", 0.4, seed=1)
    masked = ~np.isclose(noisy, clean, rtol=1e-5)
    assert masked.mean() == pytest.approx(0.4, abs=0.1)
    assert noisy[masked] == pytest.approx(np.broadcast_to(linear.shift, noisy.shape)[masked], rel=1e-5)


def test_salt_and_pepper_needs_the_ends_of_a_range(table: tuple[Linear, Subject]) -> None:
    with pytest.raises(InvalidConfiguration, match="ends of a value range"):
        measure_denoising(table[1], "salt-and-pepper", 0.1)


def test_test_rows_are_bounded_and_their_number_is_told(squares: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "TEST_NUMBERS", 20 * 64)
    measurement = measure_denoising(squares, "gaussian", 0.2)
    clean = squares.data.test.take(slice(20)).in_users_units()
    noisy = squares.model.corrupt(clean, "gaussian", 0.2, NOISE_SEED)
    assert "on 20 test rows" in measurement.protocol
    assert measurement.values["psnr"] == pytest.approx(psnr(noisy / np.float32(2), clean / np.float32(2)))
    assert measurement.values["mse"] == pytest.approx(mse(noisy / np.float32(2), clean / np.float32(2)))


def test_a_linear_map_of_very_many_features_is_left_out(squares: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "EXACT_FEATURES", 63)
    measurement = measure_denoising(squares, "gaussian", 0.2)
    assert "ridge_psnr" not in measurement.values
    assert "ridge" not in measurement.protocol
