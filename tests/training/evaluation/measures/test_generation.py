"""Generated samples are measured beside training samples, reconstructions and simpler distributions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.arrays import Samples
from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.manifest import Family
from tests.helpers import tiny
from tests.helpers.tiny import LABELS
from tests.helpers.training_evaluation import tiny_images
from training.__main__ import main
from training.config import EvaluationConfig
from training.data.dataset import DataSet
from training.errors import DataError
from training.evaluation.digits import Record
from training.evaluation.evaluate import evaluate
from training.evaluation.features import Features, pca_features
from training.evaluation.limits import Limits, RowLimit
from training.evaluation.measures import generation
from training.evaluation.measures.generation import draw_sets, feature_spaces, measure_generation
from training.evaluation.subject import Subject


def model_of(
    root: Path, family: Family = "autoencoder", labels: tuple[str, ...] = (), prior: bool = True
) -> Autoencoder:
    """Return a tiny model."""
    return load_version(tiny.write_version(root, family=family, labels=labels, prior=prior), "tiny", 1)


def test_every_set_is_measured_in_both_kinds_of_features(tmp_path: Path) -> None:
    measurements = measure_generation(Subject.of(model_of(tmp_path), tiny_images(rows=400)))
    assert [("principal" in m.protocol, "random weights" in m.protocol) for m in measurements] == [
        (True, False),
        (False, True),
    ]
    assert "200 test rows, in 4 features" in measurements[0].protocol
    for measurement in measurements:
        names = {name.partition("_")[0] for name in measurement.values}
        assert names == {"train", "reconstruction", "normal", "gaussian", "prior"}
        assert measurement.values["train_recall"] > 0.9
        assert measurement.values["train_frechet"] < measurement.values["normal_frechet"]
        assert "train_nearest" not in measurement.values
        assert measurement.values["prior_nearest"] > 0


def test_a_fitted_gaussian_is_nearer_than_n01(tmp_path: Path) -> None:
    """The tiny latents are sums around 1: a Gaussian at their mean decodes to nearly what reconstructions are."""
    values = measure_generation(Subject.of(model_of(tmp_path), tiny_images(rows=400)))[0].values
    assert values["reconstruction_frechet"] < values["normal_frechet"] / 5
    assert values["gaussian_frechet"] == pytest.approx(values["reconstruction_frechet"], abs=0.02)


def test_a_version_without_a_prior_has_no_row_of_its_own(tmp_path: Path) -> None:
    measurement = measure_generation(Subject.of(model_of(tmp_path, prior=False), tiny_images(rows=60)))[0]
    assert not [name for name in measurement.values if name.startswith("prior")]
    assert "the version has no prior of its own" in measurement.protocol


def test_the_sets_are_decoded_from_their_latents(tmp_path: Path) -> None:
    data = tiny_images(rows=40)
    model = model_of(tmp_path)
    sets = dict(draw_sets(Subject.of(model, data, seed=3), data.train))
    np.testing.assert_array_equal(sets["train"], data.train.samples)
    np.testing.assert_allclose(
        sets["reconstruction"], model.decode(model.encode(data.train.in_users_units())), rtol=1e-6
    )
    np.testing.assert_array_equal(sets["prior"], model.generate(20, seed=3))
    assert {len(samples) for samples in sets.values()} == {20}


def test_a_conditional_model_generates_under_the_training_rows_labels(tmp_path: Path) -> None:
    data, model = tiny_images(LABELS[::-1], rows=60), model_of(tmp_path, labels=LABELS)
    subject = Subject.of(model, data, seed=3)
    sets = dict(draw_sets(subject, data.train))
    assert data.train.labels is not None
    numbers = 2 - data.train.labels  # the data's classes are in reverse
    draws = model.prior.run(model.prior.noise(30, 3), numbers)
    np.testing.assert_allclose(sets["prior"], model.decode_rows(draws, numbers), rtol=1e-6)
    assert measure_generation(subject)[0].values["prior_frechet"] >= 0


def test_rows_are_bounded(tmp_path: Path) -> None:
    limits = Limits(generated=RowLimit(7, 2**20), bank=RowLimit(15, 2**20), neighbourhood=RowLimit(5, 2**20))
    protocol = measure_generation(Subject.of(model_of(tmp_path), tiny_images(rows=60), limits=limits))[0].protocol
    assert "against 7 test rows" in protocol
    assert "nearest of 15 training rows" in protocol


def test_values_are_means_over_seeds_with_their_spreads(tmp_path: Path) -> None:
    subject = Subject.of(model_of(tmp_path), tiny_images(rows=400))
    singles = [measure_generation(replace(subject, seed=seed), seeds=1)[0].values for seed in (0, 1)]
    both = measure_generation(subject, seeds=2)[0]
    numbers = [values["prior_density"] for values in singles]
    assert both.values["prior_density"] == pytest.approx(sum(numbers) / 2)
    assert both.values["prior_density_spread"] == pytest.approx(abs(numbers[0] - numbers[1]) / 2**0.5)
    assert "means over seeds 0 to 1, and their standard deviations (spread)" in both.protocol
    assert not [name for name in singles[0] if name.endswith("_spread")]


def test_the_principal_components_and_the_test_rows_do_not_depend_on_the_number_of_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = []

    def fit(train: Samples) -> Features:
        fits.append(len(train))
        return pca_features(train)

    monkeypatch.setattr(generation, "pca_features", fit)
    measure_generation(Subject.of(model_of(tmp_path), tiny_images(rows=60)), seeds=3)
    assert fits == [30]


def test_digits_are_also_measured_in_the_features_of_their_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers from 0 to 1 are seen as they are, whatever the network's units."""
    seen: list[Samples] = []

    class Digits:
        record = Record.read()

        def __call__(self, samples: Samples) -> Samples:
            seen.append(samples)
            return samples.reshape(len(samples), -1)

    monkeypatch.setattr(generation, "is_mnist", lambda data: True)
    monkeypatch.setattr(generation, "DigitFeatures", Digits)
    data = tiny_images(rows=60)
    spaces = feature_spaces(Subject.of(model_of(tmp_path), data), data.train.in_users_units())
    name = "activations of a classifier of MNIST's training images, which is right on 99.55 % of the test images"
    assert list(spaces)[2] == name
    x = np.full((3, 1, 2, 2), 0.25, np.float32)
    assert spaces[name](x).shape == (3, 4)
    np.testing.assert_array_equal(seen[0], x)


def without_training_rows() -> DataSet:
    """Return data that are test rows only."""
    data = tiny_images()
    return replace(data, train=data.train.take(slice(0)), is_whole=True)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (without_training_rows(), "compares with training rows, which are not at hand"),
        (tiny_images(rows=2), "two rows"),
    ],
    ids=["no training rows", "one row"],
)
def test_too_few_rows_are_refused(tmp_path: Path, data: DataSet, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        measure_generation(Subject.of(model_of(tmp_path), data))


def test_samples_are_measured_only_if_that_is_asked(tmp_path: Path) -> None:
    model, data = model_of(tmp_path), tiny_images(rows=60)
    plain, more = (evaluate(model, data, EvaluationConfig(), samples=samples) for samples in (False, True))
    assert len(more) == len(plain) + 2
    assert not any("frechet" in name for measurement in plain for name in measurement.values)


def test_the_command_measures_samples_beside_the_training_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE, prior=True)
    for name in ("train", "test"):
        rows = np.random.default_rng(len(name)).normal(size=(40, 4))
        np.savetxt(tmp_path / f"{name}.csv", rows, delimiter=",", header="a,b,c,d", comments="")
    options = [
        "--models-dir",
        str(tmp_path / "models"),
        "--test",
        str(tmp_path / "test.csv"),
        "--samples",
        "--seeds",
        "2",
    ]
    assert main(["evaluate", "tiny", *options, "--data", str(tmp_path / "train.csv")]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]
    assert ["prior_frechet" in metric["values"] for metric in metrics].count(True) == 2
    assert main(["evaluate", "tiny", *options]) == 1
    assert "--samples compares with training rows, which are not at hand" in capsys.readouterr().err
