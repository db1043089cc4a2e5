"""Denoisers are compared on the service's noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity
from sklearn.linear_model import Ridge

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.inputs import ImageInput, ValueRange
from tests.helpers import tiny
from tests.helpers.linear import Linear, write_linear
from tests.helpers.training_evaluation import tiny_images
from training.config import NoiseKind
from training.data.dataset import DataSet, Split
from training.errors import InvalidConfiguration
from training.evaluation.baselines import TV_WEIGHTS, best_strength, total_variation_denoiser
from training.evaluation.limits import Limits, RowLimit
from training.evaluation.measures.denoising import NOISE_SEED, Noise, measure_denoising
from training.evaluation.metrics import mse, psnr
from training.evaluation.subject import Subject

METHODS = ("", "noisy_", "median_", "blur_", "ridge_", "tv_", "wavelet_")
SQUARES = ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=2))


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """Return a denoiser of 8 x 8 pixels that returns its input."""
    folder = tiny.write_mirror(tmp_path_factory.mktemp("mirror"), "mirror", SQUARES)
    return load_version(folder, "mirror", 1)


@pytest.fixture(scope="module")
def squares(mirror: Autoencoder) -> Subject:
    """Return grey images with a brighter square, 60 to train on and 25 to test."""
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
    """Return a model of a table without a value range."""
    linear = write_linear(tmp_path)
    return linear, Subject.of(linear.model, linear.data)


def test_the_denoising_graph_is_measured_if_there_is_one(tmp_path: Path) -> None:
    """It halves every number, while the encoder and the decoder average pairs."""
    folder = tiny.write_version(tmp_path, family="denoising-autoencoder", denoiser=True)
    data, model = tiny_images(), load_version(folder, "tiny", 1)
    values = measure_denoising(Subject.of(model, data), "gaussian", 0.2).values
    clean = data.test.in_users_units()
    noisy = model.corrupt(clean, "gaussian", 0.2, NOISE_SEED)
    assert values["mse"] == pytest.approx(np.square(noisy / 2 - clean).mean(), rel=1e-5)


@pytest.mark.parametrize("kind", ["gaussian", "masking", "salt-and-pepper"])
def test_images_get_the_services_noise(squares: Subject, kind: NoiseKind) -> None:
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


def test_each_method_removes_some_of_the_noise(squares: Subject) -> None:
    values = measure_denoising(squares, "gaussian", 0.15).values
    for method in METHODS[2:]:
        assert values[f"{method}psnr"] > values["noisy_psnr"] + 1, method
        assert values[f"{method}ssim"] > values["noisy_ssim"], method


def test_strengths_are_chosen_on_training_rows_and_reported(squares: Subject) -> None:
    tuning = RowLimit(11, 2**20)
    limited = replace(squares, limits=Limits(tuning=tuning, slow_denoiser=RowLimit(10, 2**20)))
    noisy, clean = Noise(limited, "gaussian", 0.15).training_rows(tuning)
    train = squares.data.train.in_users_units()
    assert len(clean) == 11
    assert all((train == image).all(axis=(1, 2, 3)).any() for image in clean)
    weight = best_strength(total_variation_denoiser, noisy / np.float32(2), clean / np.float32(2), TV_WEIGHTS)
    test = squares.data.test.in_users_units()
    noisy_test = squares.model.corrupt(test, "gaussian", 0.15, NOISE_SEED)[:10] / np.float32(2)
    expected = psnr(total_variation_denoiser(noisy_test, weight), test[:10] / np.float32(2))
    measurement = measure_denoising(limited, "gaussian", 0.15)
    assert measurement.values["tv_psnr"] == pytest.approx(expected, rel=1e-5)
    assert f"total variation of weight {weight:g}, wavelet: BayesShrink of sigma " in measurement.protocol
    assert "chosen on 11 noisy training rows and measured on the first 10 test rows" in measurement.protocol
    assert measurement.values["psnr"] == measure_denoising(squares, "gaussian", 0.15).values["psnr"]


def test_the_noise_of_a_table_is_added_to_its_standardised_columns(table: tuple[Linear, Subject]) -> None:
    linear, subject = table
    measurement = measure_denoising(subject, "gaussian", 0.5)
    x = linear.x()
    noise = np.random.default_rng(NOISE_SEED).standard_normal(x.shape, np.float32)
    noisy = x + 0.5 * noise
    posterior = linear.model.encode((linear.shift + linear.scale * noisy).astype(np.float32))
    denoised = posterior @ linear.weights.T + linear.bias
    train = (linear.data.train.samples - linear.shift) / linear.scale
    train_noise = np.random.default_rng(NOISE_SEED + 1).standard_normal(train.shape, np.float32)
    ridge = Ridge(alpha=1.0).fit(train + 0.5 * train_noise, train)
    assert measurement.values == pytest.approx(
        {
            "noise_amount": 0.5,
            "mse": np.square(denoised - x).mean(),
            "noisy_mse": np.square(0.5 * noise).mean(),
            "ridge_mse": np.square(ridge.predict(noisy) - x).mean(),
        },
        rel=1e-4,
    )
    assert "standard deviation 0.5 on the preprocessed columns" in measurement.protocol


def test_a_masked_number_of_a_table_is_its_columns_mean(table: tuple[Linear, Subject]) -> None:
    linear, subject = table
    clean = linear.data.test.in_users_units()
    noisy = Noise(subject, "masking", 0.4).corrupt(clean, seed=1)
    masked = ~np.isclose(noisy, clean, rtol=1e-5)
    assert masked.mean() == pytest.approx(0.4, abs=0.1)
    assert noisy[masked] == pytest.approx(np.broadcast_to(linear.shift, noisy.shape)[masked], rel=1e-5)


def test_salt_and_pepper_needs_the_ends_of_a_range(table: tuple[Linear, Subject]) -> None:
    with pytest.raises(InvalidConfiguration, match="ends of a value range"):
        measure_denoising(table[1], "salt-and-pepper", 0.1)


def test_the_number_of_denoised_rows_is_limited_and_reported(squares: Subject) -> None:
    limited = replace(squares, limits=Limits(denoised=RowLimit(100, 20 * 64)))
    measurement = measure_denoising(limited, "gaussian", 0.2)
    clean = squares.data.test.take(slice(20)).in_users_units()
    noisy = squares.model.corrupt(clean, "gaussian", 0.2, NOISE_SEED)
    assert "on 20 test rows" in measurement.protocol
    assert measurement.values["psnr"] == pytest.approx(psnr(noisy / np.float32(2), clean / np.float32(2)))
    assert measurement.values["mse"] == pytest.approx(mse(noisy / np.float32(2), clean / np.float32(2)))


def test_no_linear_map_of_very_many_features_is_fitted(squares: Subject) -> None:
    limited = replace(squares, limits=Limits(max_ridge_features=63))
    measurement = measure_denoising(limited, "gaussian", 0.2)
    assert "ridge_psnr" not in measurement.values
    assert "ridge" not in measurement.protocol
