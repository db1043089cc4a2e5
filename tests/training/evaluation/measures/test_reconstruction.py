"""Errors of reconstructions agree with hand calculations and scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score

from tests.helpers.linear import write_linear
from tests.helpers.training_evaluation import measured_values, tiny_images, tiny_model
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.measures.reconstruction import measure_reconstruction
from training.evaluation.subject import Subject


def test_errors_are_those_of_the_decoded_samples(tmp_path: Path) -> None:
    data = tiny_images()
    subject = Subject.of(tiny_model(tmp_path), data)
    values = measure_reconstruction(subject, LinearAutoencoder.fit(data.train.in_users_units(), 2), None).values
    x = data.test.samples.reshape(20, 2, 2).astype(np.float64)
    reconstructed = np.repeat(x.sum(axis=2, keepdims=True) / 2, 2, axis=2)  # encode adds pairs, decode halves the sum
    errors = np.square(reconstructed - x).mean(axis=(1, 2))
    assert values["mse"] == pytest.approx(errors.mean(), rel=1e-5)
    assert values["psnr"] == pytest.approx((-10 * np.log10(errors)).mean(), rel=1e-5)
    excess = x * np.log(x / reconstructed) + (1 - x) * np.log((1 - x) / (1 - reconstructed))
    assert values["bce_excess"] == pytest.approx(excess.mean(), rel=1e-4)
    pca = PCA(2).fit(data.train.samples.reshape(20, 4))
    linear = pca.inverse_transform(pca.transform(x.reshape(20, 4)))
    assert values["pca_mse"] == pytest.approx(np.square(linear - x.reshape(20, 4)).mean(), rel=1e-4)
    assert "ssim" not in values  # images of 2 x 2 pixels are smaller than its window
    assert "untrained_mse" not in values


@pytest.mark.parametrize(("active", "components"), [(1, 1), (0, 1)])
def test_unused_latent_units_are_compared_with_a_smaller_pca(tmp_path: Path, active: int, components: int) -> None:
    data = tiny_images()
    pca = LinearAutoencoder.fit(data.train.in_users_units(), 2)
    measured = measure_reconstruction(Subject.of(tiny_model(tmp_path), data), pca, None, active)
    smaller, x = PCA(components).fit(data.train.samples.reshape(20, 4)), data.test.samples.reshape(20, 4)
    expected = np.square(smaller.inverse_transform(smaller.transform(x)) - x).mean()
    assert measured.values["pca_active_mse"] == pytest.approx(expected, rel=1e-4)
    assert "PCA with as many components as there are active units" in measured.protocol


def test_a_model_that_uses_all_its_units_has_no_second_pca(tmp_path: Path) -> None:
    data = tiny_images()
    pca = LinearAutoencoder.fit(data.train.in_users_units(), 2)
    assert "pca_active_mse" not in measure_reconstruction(Subject.of(tiny_model(tmp_path), data), pca, None, 2).values


def test_a_table_is_measured_in_standardised_columns(tmp_path: Path) -> None:
    linear = write_linear(tmp_path)
    values = measured_values(linear.model, linear.data)
    x = linear.x()
    posterior = linear.model.posterior(linear.data.test.in_users_units())
    reconstructed = posterior.mu @ linear.weights.T + linear.bias
    assert values["mse"] == pytest.approx(np.square(reconstructed - x).mean(), rel=1e-4)
    assert values["r2"] == pytest.approx(r2_score(x, reconstructed), rel=1e-4)
    assert not {"psnr", "ssim", "bce", "knn_accuracy"} & values.keys()
    assert values["pca_mse"] < 1
    assert values["pca_r2"] > 0


def test_the_protocol_names_only_measured_values(tmp_path: Path) -> None:
    data = tiny_images()
    pca = LinearAutoencoder.fit(data.train.in_users_units(), 2)
    image = measure_reconstruction(Subject.of(tiny_model(tmp_path), data), pca, None).protocol
    assert "PCA of the same number of components, fitted on 20 training rows" in image
    assert "PSNR" in image
    assert "SSIM" not in image
    assert "R2" not in image
    assert "untrained" not in image
