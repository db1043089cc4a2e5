"""What is measured of which model, on real, tiny ones and on those that were trained here."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import r2_score
from torch.distributions import Normal, kl_divergence

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.manifest import Family, ImageInput, Manifest, ValueRange, VectorInput
from tests.helpers import tiny
from tests.helpers.linear import Linear, write_linear
from training.config import Config, EvaluationConfig
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation import POSTERIOR_SEED, bce, denoising, encode, evaluate, latents, reconstruct, subject
from training.evaluation.untrained import untrained
from training.preprocessing import fit_preprocessing

PLAIN = EvaluationConfig(noise_amounts=(0.3,))


@pytest.fixture
def linear(tmp_path: Path) -> Linear:
    """A model of a table."""
    return write_linear(tmp_path)


def tiny_model(folder: Path, family: Family = "autoencoder", labels: tuple[str, ...] = ()) -> Autoencoder:
    """A model of images of 2 x 2 pixels."""
    return load_version(tiny.write_version(folder, family=family, labels=labels), "tiny", 1)


def tiny_images(classes: tuple[str, ...] = (), rows: int = 40) -> DataSet:
    """Random images in [0.2, 0.8]; with classes, every row has one."""
    samples = np.random.default_rng(5).uniform(0.2, 0.8, (rows, 1, 2, 2)).astype(np.float32)
    labels = np.arange(rows) % len(classes) if classes else None
    whole = Split(samples, labels, 1.0)
    train, validation, test = (whole.take(slice(*span)) for span in ((0, rows // 2), (0, 1), (rows // 2, rows)))
    return DataSet("tiny", tiny.IMAGE, classes, train, validation, test)


def values_of(model: Autoencoder, data: DataSet) -> dict[str, float]:
    """All that is measured, by name."""
    return {name: value for measurement in evaluate(model, data, PLAIN) for name, value in measurement.values.items()}


def test_errors_are_those_of_the_decoded_samples(tmp_path: Path) -> None:
    data = tiny_images()
    measurement = evaluate(tiny_model(tmp_path), data, PLAIN)[0]
    x = data.test.samples.reshape(20, 2, 2).astype(np.float64)
    restored = np.repeat(x.sum(axis=2, keepdims=True) / 2, 2, axis=2)  # encode adds pairs, decode halves the sum
    errors = np.square(restored - x).mean(axis=(1, 2))
    assert measurement.values["mse"] == pytest.approx(errors.mean(), rel=1e-5)
    assert measurement.values["psnr"] == pytest.approx((-10 * np.log10(errors)).mean(), rel=1e-5)
    excess = x * np.log(x / restored) + (1 - x) * np.log((1 - x) / (1 - restored))
    assert measurement.values["bce_excess"] == pytest.approx(excess.mean(), rel=1e-4)
    flat = data.train.samples.reshape(20, 4)
    pca = PCA(2).fit(flat)
    linear = pca.inverse_transform(pca.transform(x.reshape(20, 4)))
    assert measurement.values["pca_mse"] == pytest.approx(np.square(linear - x.reshape(20, 4)).mean(), rel=1e-4)
    assert "ssim" not in measurement.values  # of 2 x 2 pixels there is none
    assert "untrained_mse" not in measurement.values


def test_a_table_is_measured_in_standardised_columns(linear: Linear) -> None:
    values = values_of(linear.model, linear.data)
    x = linear.x()
    posterior = linear.model.posterior(linear.data.test.in_users_units())
    restored = posterior.mu @ linear.weights.T + linear.bias
    assert values["mse"] == pytest.approx(np.square(restored - x).mean(), rel=1e-4)
    assert values["r2"] == pytest.approx(r2_score(x, restored), rel=1e-4)
    assert not {"psnr", "ssim", "bce", "knn_accuracy"} & values.keys()
    assert values["pca_mse"] < 1
    assert values["pca_r2"] > 0


def test_neighbourhoods_are_compared_with_pcas_on_the_same_rows(linear: Linear) -> None:
    values, x = values_of(linear.model, linear.data), linear.x()
    mu = encode(linear.model, linear.data.test)
    assert values["trustworthiness"] == pytest.approx(trustworthiness(x, mu, n_neighbors=12), rel=1e-3)
    train = (linear.data.train.samples - linear.shift) / linear.scale
    plane = PCA(2).fit(train).transform(x)
    assert values["pca_trustworthiness"] == pytest.approx(trustworthiness(x, plane, n_neighbors=12), rel=1e-3)


def test_accuracies_are_measured_where_there_are_labels(tmp_path: Path) -> None:
    names = {"knn_accuracy", "probe_accuracy", "pca_knn_accuracy", "pca_probe_accuracy"}
    model = tiny_model(tmp_path)
    assert names <= values_of(model, tiny_images(("a", "b"))).keys()
    assert not names & values_of(model, tiny_images()).keys()
    assert not names & values_of(model, tiny_images(("one",))).keys()


def test_the_untrained_network_is_asked_in_the_users_units(tmp_path: Path) -> None:
    data, asked = tiny_images(("a", "b")), []

    def untrained(task: str, samples: np.ndarray) -> np.ndarray:
        asked.append((task, len(samples), float(samples.max())))
        return np.zeros((len(samples), 2), np.float32) if task == "encode" else np.zeros_like(samples)

    first, second = evaluate(tiny_model(tmp_path), data, PLAIN, untrained)
    assert first.values["untrained_mse"] == pytest.approx(np.square(data.test.samples).mean(), rel=1e-5)
    assert second.values["untrained_knn_accuracy"] == second.values["untrained_probe_accuracy"] == 0.5
    assert {task for task, _, _ in asked} == {"encode", "reconstruct"}
    assert all(rows == 20 and 0.7 < top <= 0.8 for _, rows, top in asked)


@pytest.mark.parametrize("family", ["autoencoder", "denoising-autoencoder", "variational-autoencoder"])
def test_two_runs_and_any_size_of_chunk_give_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: Family
) -> None:
    model, data = tiny_model(tmp_path, family), tiny_images(("a", "b"), rows=600)
    monkeypatch.setattr(denoising, "TUNING_ROWS", 5)
    monkeypatch.setattr(denoising, "SLOW_ROWS", 20)
    options = EvaluationConfig(noise_kinds=("gaussian", "masking"), noise_amounts=(0.3,), importance_samples=5)
    whole = evaluate(model, data, options, binarisation="dynamic")
    assert evaluate(model, data, options, binarisation="dynamic") == whole
    for rows in (1, 7, 256):
        monkeypatch.setattr(subject, "CHUNK_ROWS", rows)
        for ours, theirs in zip(evaluate(model, data, options, binarisation="dynamic"), whole, strict=True):
            assert ours.protocol == theirs.protocol
            assert ours.values == pytest.approx(theirs.values, rel=1e-6)


def test_a_table_without_a_known_likelihood_has_no_bound(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, family="variational-autoencoder", kind=tiny.TABLE)
    rows = Split(np.random.default_rng(0).random((30, 4)).astype(np.float32), None, 1.0)
    data = DataSet("table", tiny.TABLE, (), rows, rows, rows)
    assert "negative_elbo" not in values_of(load_version(folder, "tiny", 1), data)


def test_a_conditional_model_is_measured_under_each_rows_own_label(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, "variational-autoencoder", ("first", "second"))
    data = tiny_images(("second", "first"))  # in the other order: a class is known by its name
    restored = reconstruct(model, data, data.test)
    halves = np.repeat(data.test.samples.reshape(20, 2, 2).sum(axis=2, keepdims=True) / 2, 2, axis=2)
    assert data.test.labels is not None
    second = (data.test.labels == 0).astype(np.float32)[:, None, None]
    expected = np.minimum(halves + 0.25 * second, 1)
    assert restored[:, 0] == pytest.approx(expected, abs=1e-6)
    error = np.square(expected - data.test.samples[:, 0]).mean()
    assert values_of(model, data)["mse"] == pytest.approx(error, rel=1e-5)


def other_shape() -> DataSet:
    """Images of 3 x 3 pixels."""
    rows = Split(np.zeros((5, 1, 3, 3), np.float32), None, 1.0)
    return DataSet("wide", ImageInput(shape=(1, 3, 3), value_range=ValueRange(low=0, high=1)), (), rows, rows, rows)


def out_of_range() -> DataSet:
    """Images whose pixels are all 9."""
    rows = Split(np.full((3, 1, 2, 2), 9, np.uint8), None, 1.0)
    return DataSet("far", tiny.IMAGE, (), rows, rows, rows)


def no_rows() -> DataSet:
    """An empty test part."""
    data = tiny_images()
    return DataSet("empty", data.input, (), data.train, data.validation, data.test.take(slice(0)))


@pytest.mark.parametrize(
    ("labels", "data", "sentence"),
    [
        ((), other_shape(), r"wide: expected samples of shape \[1, 2, 2\].*got \[1, 3, 3\]"),
        ((), out_of_range(), "far: expected numbers from 0 to 1.*got 9 to 9 in the training part"),
        ((), no_rows(), "empty: the test part has no rows"),
        (("a", "b"), tiny_images(), "tiny: expected labels, since the model 'tiny' is conditional, got none"),
        (("a", "b"), tiny_images(("a", "c")), r"tiny: expected the labels of the model 'tiny' \(a, b\), got 'c'"),
    ],
)
def test_data_that_the_model_cannot_take_are_refused(
    tmp_path: Path, labels: tuple[str, ...], data: DataSet, sentence: str
) -> None:
    model = tiny_model(tmp_path, "variational-autoencoder", labels)
    with pytest.raises(DataError, match=sentence):
        evaluate(model, data, PLAIN)


def test_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    model = load_version(tiny.write_version(tmp_path, kind=tiny.TABLE), "tiny", 1)
    rows = Split(np.zeros((5, 4), np.float32), None, 1.0)
    swapped = VectorInput(shape=(4,), feature_names=("a", "c", "b", "d"))
    with pytest.raises(DataError, match="column 2: expected 'b', as in the model, got 'c'"):
        evaluate(model, DataSet("swapped", swapped, (), rows, rows, rows), PLAIN)


def test_the_ends_of_a_range_that_float32_rounds_are_inside_it(tmp_path: Path) -> None:
    kind = ImageInput(shape=(1, 2, 2), value_range=ValueRange(low=0, high=0.1))  # float32(0.1) is above 0.1
    manifest = Manifest.read(tiny.write_version(tmp_path)).model_copy(update={"input": kind})
    rows = Split(np.full((5, 1, 2, 2), 0.1, np.float32), None, 1.0)
    subject.check_fit(manifest, DataSet("edge", kind, (), rows, rows, rows))


def test_no_large_part_is_ever_float32_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = write_linear(tmp_path, features=256)
    stored = np.random.default_rng(0).integers(0, 4, (60_000, 256), np.uint8)  # 15 MiB, 60 as float32
    large = Split(stored, None, 0.5)
    data = DataSet("large", linear.data.input, (), large, large.take(slice(1)), large.take(slice(20_000)))
    monkeypatch.setattr(subject, "FIT_NUMBERS", 2**18)
    monkeypatch.setattr(subject, "CHUNK_NUMBERS", 2**16)
    monkeypatch.setattr(latents, "TRUST_ROWS", 100)
    tracemalloc.start()
    measured = evaluate(linear.model, data, PLAIN)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "fitted on 1024 training rows" in measured[0].protocol
    assert peak < 15 * 2**20


def test_the_rows_of_a_baseline_are_drawn_from_all_and_not_the_first(tmp_path: Path) -> None:
    samples = np.linspace(0.2, 0.8, 400, dtype=np.float32).reshape(100, 1, 2, 2)
    split = Split(samples, np.arange(100), 1.0)
    drawn = subject.drawn_rows(split, 20, seed=0)
    assert drawn.labels is not None
    assert (np.diff(drawn.labels) > 0).all()
    assert drawn.labels.max() > 80
    assert (drawn.samples[:, 0, 0, 0] == samples[drawn.labels, 0, 0, 0]).all()
    assert (subject.drawn_rows(split, 20, seed=0).samples == drawn.samples).all()
    assert (subject.drawn_rows(split, 20, seed=1).samples != drawn.samples).any()
    assert subject.drawn_rows(split, 100, seed=0) is split


def test_evaluating_the_onnx_files_again_gives_the_manifests_numbers(exported: Path, digits: DataSet) -> None:
    manifest = Manifest.read(exported)
    assert manifest.training is not None
    config = Config.model_validate(manifest.training.configuration)
    blank = untrained(config, digits, fit_preprocessing(config, digits))
    model = load_version(exported, manifest.name, manifest.version)
    again = evaluate(model, digits, config.evaluation, blank)
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
