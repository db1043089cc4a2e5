"""8-bit arrays are levels for models that were trained on 8-bit images, and numbers for all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.manifest import Manifest, Training
from app.settings import Settings
from tests.helpers.npy import saved
from tests.helpers.tiny import write_version
from tests.helpers.v2 import infer, outputs, tensor

LEVELS = np.array([[[0, 51], [102, 204]]], np.uint8)
LATENTS = [[0.2, 1.2]]
"""The latents of LEVELS as numbers from 0 to 1: the sums of both rows."""


def training(data: dict[str, Any]) -> Training:
    """Return the record of a training on such data."""
    configuration = {"name": "any", "data": data}
    record = {"data_fingerprint": "0" * 64, "libraries": {}, "seed": 0, "minutes": 1, "hardware": "any"}
    return Training.model_validate({"configuration": configuration, "finished": "2026-01-01", **record})


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve a model of 8-bit images, one whose range was stated, and one that was imported."""
    models: Path = tmp_path_factory.mktemp("models")
    write_version(models, "imported")
    for name, data in (("trained", {"value_range": None}), ("stated", {"value_range": [0, 1]})):
        folder = write_version(models, name)
        Manifest.read(folder).model_copy(update={"training": training(data)}).write(folder)
    with TestClient(create_app(Settings(models_dir=models))) as client:
        yield client


def test_the_array_that_a_model_was_trained_on_is_what_the_server_takes(client: TestClient) -> None:
    answers = [
        client.post("/v1/models/trained/encode", content=saved(rows)).json()["latents"]
        for rows in (LEVELS, LEVELS.reshape(1, 4), np.asfortranarray(LEVELS), LEVELS.astype(np.float32) / 255)
    ]
    levels = {**tensor("samples", LEVELS.tolist()), "datatype": "UINT8"}
    answers.append(outputs(infer(client, "trained.encode", levels))["latents"])
    for latents in answers:
        assert np.array(latents) == pytest.approx(np.array(LATENTS), abs=1e-6)


@pytest.mark.parametrize("model", ["stated", "imported"])
def test_models_of_a_stated_range_take_8_bit_numbers_as_they_are(client: TestClient, model: str) -> None:
    path, binary = f"/v1/models/{model}/encode", np.array([[[0, 1], [1, 1]]], np.uint8)
    assert client.post(path, content=saved(binary)).json()["latents"] == [[1, 2]]
    answer = client.post(path, content=saved(LEVELS))
    assert (answer.status_code, answer.json()["code"]) == (422, "out-of-range")


def test_8_bit_arrays_of_0_and_1_are_refused_since_they_may_be_both(client: TestClient) -> None:
    path, binary = "/v1/models/trained/encode", np.array([[[0, 1], [1, 1]]], np.uint8)
    for answer in (
        client.post(path, content=saved(binary)),
        infer(client, "trained.encode", {**tensor("samples", binary.tolist()), "datatype": "UINT8"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")
        assert "255 is white, but none of these is above 1; send 0 and 1 as float32" in answer.json()["error"]
    assert client.post(path, content=saved(binary.astype(bool))).json()["latents"] == [[1, 2]]
    assert client.post(path, content=saved(binary * 0)).json()["latents"] == [[0, 0]]
    assert client.post(path, content=saved(binary.astype(np.int64))).json()["latents"] == [[1, 2]]
