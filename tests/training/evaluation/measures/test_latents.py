"""Scores of latents are measured if the data allow, beside those of PCA."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from tests.helpers.linear import write_linear
from tests.helpers.training_evaluation import measured_values, tiny_images, tiny_model
from training.data.dataset import DataSet
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.evaluate import encode
from training.evaluation.measures.latents import measure_latents
from training.evaluation.subject import Subject


def test_neighbourhoods_are_compared_with_pcas_on_the_same_rows(tmp_path: Path) -> None:
    linear = write_linear(tmp_path)
    values, x = measured_values(linear.model, linear.data), linear.x()
    mu = encode(linear.model, linear.data, linear.data.test)
    assert values["trustworthiness"] == pytest.approx(trustworthiness(x, mu, n_neighbors=12), rel=1e-3)
    train = (linear.data.train.samples - linear.shift) / linear.scale
    plane = PCA(2).fit(train).transform(x)
    assert values["pca_trustworthiness"] == pytest.approx(trustworthiness(x, plane, n_neighbors=12), rel=1e-3)


def test_accuracies_need_at_least_two_labels(tmp_path: Path) -> None:
    names = {"knn_accuracy", "probe_accuracy", "pca_knn_accuracy", "pca_probe_accuracy"}
    model = tiny_model(tmp_path)
    assert names <= measured_values(model, tiny_images(("a", "b"))).keys()
    assert not names & measured_values(model, tiny_images()).keys()
    assert not names & measured_values(model, tiny_images(("one",))).keys()


def test_nothing_is_measured_on_two_rows_without_labels(tmp_path: Path) -> None:
    data = tiny_images()
    few = DataSet("few", data.input, (), data.train, data.validation, data.test.take(slice(2)))
    pca = LinearAutoencoder.fit(data.train.in_users_units(), 2)
    assert measure_latents(Subject.of(tiny_model(tmp_path), few), pca, None) is None
