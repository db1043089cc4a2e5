"""The benchmark's models are versions that the server accepts, with answers that are onnxruntime's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import orjson
import pytest

from app.engine.repository import load_version
from bench.serving import models
from bench.serving.loads import LOADS, MODEL_NAMES, ROW_COUNTS, Workload


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the smaller model, and return its folder."""
    repository = tmp_path_factory.mktemp("bench") / "dense"
    models.write_repository("dense", repository)
    return repository / "bench-dense" / "1"


def test_the_server_accepts_the_model(version: Path) -> None:
    manifest = load_version(version, "bench-dense", 1).manifest
    assert (manifest.input_shape, manifest.latent_dim) == ((1, 28, 28), 32)


def test_answers_are_those_of_onnxruntime(version: Path) -> None:
    workload = Workload.read(version)
    assert {load: len(rows) for load, rows in workload.answers.items()} == {load: ROW_COUNTS[load] for load in LOADS}
    encoder, decoder = (onnxruntime.InferenceSession(version / f"{name}.onnx") for name in ("encoder", "decoder"))
    latents = encoder.run(None, {"samples": workload.inputs.samples})[0]
    np.testing.assert_allclose(workload.answers["json-32"], latents, rtol=1e-4, atol=1e-5)
    samples = decoder.run(None, {"latents": workload.inputs.latents})[0].reshape(32, 784)
    np.testing.assert_allclose(workload.answers["decode-32"], samples, rtol=1e-4, atol=1e-5)


def test_different_samples_have_different_latents(version: Path) -> None:
    assert Workload.read(version).answers["json-32"].std(axis=0).mean() > 0.1


def test_numbers_have_the_same_text_as_float32_and_float64(version: Path) -> None:
    samples = Workload.read(version).inputs.samples
    assert orjson.loads(orjson.dumps(samples, option=orjson.OPT_SERIALIZE_NUMPY)) == samples.tolist()
    assert len(orjson.dumps(samples.tolist())) / samples.size == pytest.approx(10, abs=0.6)


def test_every_model_has_a_network_or_is_bundled() -> None:
    assert models.NETWORKS.keys() == MODEL_NAMES.keys() - {"bundled"}
    assert (models.ROOT / "models" / MODEL_NAMES["bundled"][0] / "1" / "model.json").is_file()
