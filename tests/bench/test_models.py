"""The benchmark's models are versions that the server accepts, and the answers beside them are onnxruntime's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import orjson
import pytest

from app.engine.repository import load_version
from bench.serving import models
from bench.serving.questions import KINDS, LOADS, ROWS_OF, Questions


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the smaller of the two."""
    repository = tmp_path_factory.mktemp("bench") / "dense"
    models.write_repository("dense", repository)
    return repository / "bench-dense" / "1"


def test_the_server_accepts_the_model(version: Path) -> None:
    manifest = load_version(version, "bench-dense", 1).manifest
    assert (manifest.input_shape, manifest.latent_dim) == ((1, 28, 28), 32)


def test_answers_are_onnxruntimes(version: Path) -> None:
    questions = Questions.read(version)
    assert {load: len(rows) for load, rows in questions.answers.items()} == {load: ROWS_OF[load] for load in LOADS}
    encoder, decoder = (onnxruntime.InferenceSession(version / f"{name}.onnx") for name in ("encoder", "decoder"))
    latents = encoder.run(None, {"samples": questions.inputs.samples})[0]
    np.testing.assert_allclose(questions.answers["json-32"], latents, rtol=1e-4, atol=1e-5)
    samples = decoder.run(None, {"latents": questions.inputs.latents})[0].reshape(32, 784)
    np.testing.assert_allclose(questions.answers["decode-32"], samples, rtol=1e-4, atol=1e-5)


def test_samples_lead_to_latents_that_can_be_told_apart(version: Path) -> None:
    assert Questions.read(version).answers["json-32"].std(axis=0).mean() > 0.1


def test_numbers_have_the_same_text_however_they_are_written(version: Path) -> None:
    samples = Questions.read(version).inputs.samples
    assert orjson.loads(orjson.dumps(samples, option=orjson.OPT_SERIALIZE_NUMPY)) == samples.tolist()
    assert len(orjson.dumps(samples.tolist())) / samples.size == pytest.approx(10, abs=0.6)


def test_there_is_a_network_for_every_model_that_is_made() -> None:
    assert models.NETWORKS.keys() == KINDS.keys() - {"bundled"}
    assert (models.ROOT / "models" / KINDS["bundled"][0] / "1" / "model.json").is_file()
