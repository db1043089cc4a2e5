"""An export of real digits writes a complete version, which the server answers with, or nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from app.engine.golden import golden_samples
from app.engine.repository import load_version
from app.importing.tidy import Tolerance
from app.inputs import ValueRange, VectorInput
from app.main import create_app
from app.manifest import MANIFEST, Manifest
from app.settings import Settings
from tests.helpers.training_data import load_array
from tests.helpers.training_networks import DENSE, build
from training.choices.choose import settle
from training.config import NetworkConfig, load_config
from training.data.dataset import DataSet
from training.errors import ExportError
from training.exporting.coarse import MIN_NUMBERS
from training.exporting.export import export, with_coarse_stack, write_golden, write_model
from training.exporting.graphs import PARITY_TOLERANCE
from training.fitting.runs import Run
from training.networks.build import build_network
from training.networks.user_units import DecoderGraph, EncoderGraph
from training.preprocessing import fit_preprocessing


def test_a_version_is_complete_and_records_its_training(exported: Path, trained: Run, digits: DataSet) -> None:
    manifest = Manifest.read(exported)
    assert exported.name == "1"
    assert {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()} == {
        *manifest.files,
        MANIFEST,
    }
    assert {"card.md", "latent_map.npz", "figures/loss.png", "figures/latents.png"} <= manifest.files.keys()
    assert manifest.training is not None
    assert manifest.training.configuration == trained.config.model_dump(mode="json")
    assert manifest.training.data_fingerprint == digits.fingerprint()
    assert manifest.training.minutes == trained.record.minutes
    assert f"digits; {len(digits.train)} rows to train on" in (exported / "card.md").read_text()
    assert manifest.parity is not None
    assert manifest.parity.batch_sizes == (1, 2, 7, 64)
    assert manifest.parity.max_abs_difference < 1e-3


def test_the_exported_model_beats_its_baselines(exported: Path) -> None:
    measured = Manifest.read(exported).metrics[0].values
    assert measured["mse"] < 0.5 * measured["untrained_mse"]
    if "sdae" not in str(exported):
        assert measured["mse"] < measured["pca_mse"]


def test_the_server_answers_like_torch(exported: Path, trained: Run, digits: DataSet) -> None:
    samples = digits.test.in_users_units()[:5]
    name = trained.config.name
    with TestClient(create_app(Settings(models_dir=exported.parent.parent))) as client:
        body = {"samples": samples.tolist()}
        answer = client.post(f"/v1/models/{name}/reconstruct", json=body).json()
    with torch.no_grad():
        expected = 16 * trained.network.reconstruct(torch.from_numpy(samples) / 16).numpy()
    np.testing.assert_allclose(answer["samples"], expected, atol=0.02)  # weights were rounded to float16
    errors = np.square(np.array(answer["samples"]) - samples).reshape(5, -1).mean(axis=1)
    np.testing.assert_allclose(answer["errors"], errors, rtol=1e-4)


def test_the_denoiser_answers_like_torch_removes_noise_and_leaves_clean_samples_alone(
    exported: Path, trained: Run, digits: DataSet
) -> None:
    manifest = Manifest.read(exported)
    assert manifest.has_denoiser == (trained.config.name == "digits-sdae")
    with np.load(exported / "golden.npz", allow_pickle=False) as archive:
        assert ("denoised" in archive) == manifest.has_denoiser
    if not trained.network.denoiser:
        return
    model, samples = load_version(exported, manifest.name, 1), digits.test.in_users_units()
    with torch.no_grad():
        expected = 16 * trained.network.denoise(torch.from_numpy(samples) / 16).clamp(0, 1).numpy()
    np.testing.assert_allclose(model.denoise(samples), expected, atol=0.02)  # weights were rounded to float16
    assert np.square(model.denoise(samples) / 16 - samples / 16).mean() < 0.001
    for level in (0.05, 0.1, 0.25, 0.5):
        noisy = model.corrupt(samples, "gaussian", level, seed=1)
        assert np.square(model.denoise(noisy) - samples).mean() < 0.9 * np.square(noisy - samples).mean()


def test_every_family_generates_and_the_card_names_the_prior(exported: Path, trained: Run, digits: DataSet) -> None:
    manifest = Manifest.read(exported)
    assert "generate" in manifest.tasks
    assert manifest.has_prior or trained.config.objective.family == "variational-autoencoder"
    card = (exported / "card.md").read_text()
    assert "- Generation: by `prior.onnx`, a mixture of" in card or "- Generation: from draws of N(0, I)." in card
    assert "figures/samples.png" in manifest.files
    model = load_version(exported, manifest.name, 1)
    samples = model.generate(400, seed=0) / 16
    pixels = digits.train.in_users_units() / 16
    assert np.abs(samples.mean(axis=0) - pixels.mean(axis=0)).mean() < 0.05  # of black to white


def test_the_latent_map_has_a_point_and_a_label_for_each_test_sample(exported: Path, digits: DataSet) -> None:
    assert digits.test.labels is not None
    with np.load(exported / "latent_map.npz", allow_pickle=False) as archive:
        assert archive["coordinates"].shape == (len(digits.test), 2)
        assert archive["labels"].tolist() == digits.test.labels.tolist()


def test_golden_samples_are_not_rows_of_the_data(exported: Path, digits: DataSet) -> None:
    with np.load(exported / "golden.npz", allow_pickle=False) as archive:
        golden = archive["samples"]
    rows = np.concatenate([split.in_users_units() for split in (digits.train, digits.validation, digits.test)])
    distances = np.abs(golden[:, None] - rows[None]).reshape(len(golden), len(rows), -1).max(axis=2)
    assert distances.min() > 1
    np.testing.assert_array_equal(golden, 16 * golden_samples(digits.input.shape))


def test_the_next_export_is_the_next_version_and_keeps_the_first(
    exported: Path, trained: Run, digits: DataSet, tmp_path: Path
) -> None:
    root = tmp_path / "models"
    shutil.copytree(exported.parent.parent, root)
    first = root / exported.parent.name / "1"
    before = {path: path.read_bytes() for path in first.rglob("*") if path.is_file()}
    second = export(trained, digits, root)
    assert second == first.parent / "2"
    assert Manifest.read(second).version == 2
    assert {path: path.read_bytes() for path in first.rglob("*") if path.is_file()} == before
    load_version(second, trained.config.name, 2)


@pytest.mark.parametrize(
    "function",
    [
        "training.exporting.export.write_card",
        "training.exporting.export.evaluate",
        "app.engine.repository.load_version",
    ],
)
def test_a_failed_export_leaves_nothing(
    trained: Run, digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ExportError("disk full")

    monkeypatch.setattr(function, fail)
    with pytest.raises(ExportError, match="disk full"):
        export(trained, digits, tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_a_graph_that_differs_from_torch_is_not_written(trained: Run, digits: DataSet, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="torch and onnxruntime differ"):
        export(trained, digits, tmp_path, Tolerance(absolute=-1.0, relative=0.0))
    assert not list(tmp_path.rglob("*"))


def test_the_manifest_is_written_last(
    trained: Run, digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files_before: list[set[str]] = []
    write = Manifest.write

    def record(self: Manifest, folder: Path) -> None:
        files_before.append({path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()})
        write(self, folder)

    monkeypatch.setattr(Manifest, "write", record)
    folder = export(trained, digits, tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text())
    assert files_before == [set(manifest["files"])]


def test_golden_samples_lie_in_the_range_to_the_last_digit(tmp_path: Path) -> None:
    """In float32, low + span * u lies beyond the end of about one range of ten by a rounding."""
    random = np.random.default_rng(0)
    data = load_array(tmp_path, random.normal(size=(20, 200)).astype(np.float32))
    config = settle(load_config("table-ae"), data).config
    preprocessing = fit_preprocessing(config, data)
    network = build_network(config, data.input).eval()
    for low, high in np.sort(random.normal(size=(40, 2)) * 4.5, axis=1).tolist():
        input_spec = VectorInput(shape=(200,), value_range=ValueRange(low=low, high=high))
        decoder = DecoderGraph(network, preprocessing, input_spec.value_range)
        write_golden(EncoderGraph(network, preprocessing), decoder, input_spec, tmp_path)
        with np.load(tmp_path / "golden.npz", allow_pickle=False) as archive:
            samples = archive["samples"]
        assert np.float32(low) <= samples.min()
        assert samples.max() <= np.float32(high)


def test_the_denoisers_guide_has_8_bits_and_the_rest_stays() -> None:
    network = build("sdae", DENSE.model_copy(update={"widths": (400,)}))
    coarse = with_coarse_stack(network)
    before, after = network.state_dict(), coarse.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("stack.") and before[name].numel() >= MIN_NUMBERS}
    assert changed


def test_a_pair_can_be_stored_in_8_bits(tmp_path: Path, train: Callable[[str], Run], digits: DataSet) -> None:
    run, sizes = train("digits-ae"), {}
    for bits in (16, 8):
        layers = NetworkConfig(architecture="dense", latent_dim=8, widths=(512, 64), stored_bits=bits)
        config = settle(load_config("digits-ae").model_copy(update={"network": layers}), digits).config
        network = build_network(config, digits.input)
        (folder := tmp_path / str(bits)).mkdir()
        write_model(replace(run, config=config, network=network), digits, folder, 1, PARITY_TOLERANCE)
        sizes[bits] = (folder / "encoder.onnx").stat().st_size
    assert sizes[8] < 0.75 * sizes[16]
