"""The measurements of tiny models and of trained ones; memory stays bounded, and chunks do not change numbers."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from app.engine.repository import load_version
from app.manifest import Family, Manifest
from tests.helpers import tiny
from tests.helpers.linear import write_linear
from tests.helpers.training_evaluation import OPTIONS, measured_values, tiny_images, tiny_model
from training.config import Config, EvaluationConfig
from training.data.dataset import DataSet, Split
from training.evaluation.evaluate import encode, evaluate, reconstruct
from training.evaluation.limits import Limits, RowLimit
from training.evaluation.measures.bounds import POSTERIOR_SEED
from training.evaluation.metrics import bce
from training.evaluation.untrained import untrained
from training.preprocessing import fit_preprocessing


def test_the_untrained_network_gets_samples_in_the_users_units(tmp_path: Path) -> None:
    data, calls = tiny_images(("a", "b")), []

    def zeros(task: str, samples: np.ndarray) -> np.ndarray:
        calls.append((task, len(samples), float(samples.max())))
        return np.zeros((len(samples), 2), np.float32) if task == "encode" else np.zeros_like(samples)

    reconstruction, latents = evaluate(tiny_model(tmp_path), data, OPTIONS, zeros)
    assert reconstruction.values["untrained_mse"] == pytest.approx(np.square(data.test.samples).mean(), rel=1e-5)
    assert latents.values["untrained_knn_accuracy"] == latents.values["untrained_probe_accuracy"] == 0.5
    assert {task for task, _, _ in calls} == {"encode", "reconstruct"}
    assert all(rows == 20 and 0.7 < largest <= 0.8 for _, rows, largest in calls)


@pytest.mark.parametrize("family", ["autoencoder", "denoising-autoencoder", "variational-autoencoder"])
def test_two_runs_and_any_size_of_chunk_give_the_same_numbers(tmp_path: Path, family: Family) -> None:
    model, data = tiny_model(tmp_path, family), tiny_images(("a", "b"), rows=600)
    options = EvaluationConfig(noise_kinds=("gaussian", "masking"), noise_amounts=(0.3,), importance_samples=5)
    chunks = [RowLimit(rows, 2**22) for rows in (1024, 1024, 1, 7, 256)]
    whole, again, *chunked = (
        evaluate(
            model,
            data,
            options,
            binarisation="dynamic",
            limits=Limits(chunk=chunk, tuning=RowLimit(5, 2**20), slow_denoiser=RowLimit(20, 2**20)),
        )
        for chunk in chunks
    )
    assert again == whole
    for measurements in chunked:
        for ours, theirs in zip(measurements, whole, strict=True):
            assert ours.protocol == theirs.protocol
            assert ours.values == pytest.approx(theirs.values, rel=1e-6)


def test_a_table_without_a_known_likelihood_has_no_bound(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path, family="variational-autoencoder", kind=tiny.TABLE)
    rows = Split(np.random.default_rng(0).random((30, 4)).astype(np.float32), None, 1.0)
    data = DataSet("table", tiny.TABLE, (), rows, rows, rows)
    assert "negative_elbo" not in measured_values(load_version(folder, "tiny", 1), data)


def test_a_conditional_model_decodes_each_row_under_its_own_label(tmp_path: Path) -> None:
    model = tiny_model(tmp_path, "variational-autoencoder", ("first", "second"))
    data = tiny_images(("second", "first"))  # in another order than the model's labels: names decide
    reconstructed = reconstruct(model, data, data.test)
    halves = np.repeat(data.test.samples.reshape(20, 2, 2).sum(axis=2, keepdims=True) / 2, 2, axis=2)
    assert data.test.labels is not None
    second = (data.test.labels == 0).astype(np.float32)[:, None, None]
    expected = np.minimum(halves + 0.25 * second, 1)
    assert reconstructed[:, 0] == pytest.approx(expected, abs=1e-6)
    error = np.square(expected - data.test.samples[:, 0]).mean()
    assert measured_values(model, data)["mse"] == pytest.approx(error, rel=1e-5)


def test_all_rows_of_a_split_are_encoded_in_order(tmp_path: Path) -> None:
    data = tiny_images(rows=5000)
    expected = data.test.samples.reshape(2500, 2, 2).sum(axis=2)
    assert encode(tiny_model(tmp_path), data, data.test) == pytest.approx(expected, abs=1e-6)


def test_no_large_part_is_float32_as_a_whole(tmp_path: Path) -> None:
    linear = write_linear(tmp_path, features=256)
    stored = np.random.default_rng(0).integers(0, 4, (60_000, 256), np.uint8)  # 15 MiB, and 60 MiB as float32
    large = Split(stored, None, 0.5)
    data = DataSet("large", linear.data.input, (), large, large.take(slice(1)), large.take(slice(20_000)))
    limits = Limits(chunk=RowLimit(1024, 2**16), baseline=RowLimit(60_000, 2**18), neighbourhood=RowLimit(100, 2**26))
    tracemalloc.start()
    measurements = evaluate(linear.model, data, OPTIONS, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "fitted on 1024 training rows" in measurements[0].protocol
    assert peak < 15 * 2**20


def test_evaluating_the_exported_graphs_again_gives_the_manifests_numbers(exported: Path, digits: DataSet) -> None:
    manifest = Manifest.read(exported)
    assert manifest.training is not None
    config = Config.model_validate(manifest.training.configuration)
    reference = untrained(config, digits, fit_preprocessing(config, digits))
    model = load_version(exported, manifest.name, manifest.version)
    again = evaluate(model, digits, config.evaluation, reference)
    for first, second in zip(manifest.metrics, again, strict=True):
        assert first.protocol == second.protocol
        assert second.values == pytest.approx(first.values, rel=1e-4)


def test_the_bound_of_a_trained_model_equals_torchs(exported: Path, digits: DataSet) -> None:
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
