"""The table of tasks: one function and one row are all that a new task needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.arrays import Samples
from app.engine.served import ServedModel
from app.main import create_app
from app.manifest import FAMILY_TASKS, Manifest
from app.options import DecodeOptions
from app.settings import Settings
from app.tasks import TASKS, Result, Task, supported_tasks


async def mirror(model: ServedModel, options: DecodeOptions, samples: Samples) -> Result:
    """
    Mirror samples.

    Each sample is reconstructed and flipped from left to right.
    """
    reconstruction = await model.reconstruct(samples, options.label)
    return Result(reconstruction.samples[..., ::-1], extras={"errors": reconstruction.errors})


MIRROR = Task(
    mirror,
    DecodeOptions,
    takes="samples",
    gives="samples",
    runs=("reconstruct",),
    extras=("errors",),
    supports=lambda manifest: manifest.input.kind == "image",
)
SAMPLE = [0.25, 0.75, 0.5, 0]
MIRRORED = [[[[0.5, 0.5], [0.25, 0.25]]]]


@pytest.fixture
def client(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Return a client of an application whose table has one more row."""
    monkeypatch.setitem(TASKS, "mirror", MIRROR)
    return TestClient(create_app(Settings(models_dir=tiny_models)))


def test_a_new_task_is_a_route_of_v1(client: TestClient) -> None:
    answer = client.post("/v1/models/tiny-ae/mirror", json={"samples": [SAMPLE]})
    assert answer.json() == {"model": "tiny-ae", "version": 2, "samples": MIRRORED, "errors": [0.0625]}
    assert client.post("/v1/models/tiny-ae/versions/1/mirror", json={"samples": [SAMPLE]}).json()["version"] == 1
    refused = client.post("/v1/models/tiny-table/mirror", json={"samples": [SAMPLE]})
    assert (refused.status_code, refused.json()["code"]) == (404, "unsupported-task")


def test_a_new_task_is_a_model_of_v2_with_statistics(client: TestClient) -> None:
    assert "tiny-ae.mirror" in client.get("/v2/models").json()["models"]
    assert "tiny-table.mirror" not in client.get("/v2/models").json()["models"]
    assert [output["name"] for output in client.get("/v2/models/tiny-ae.mirror").json()["outputs"]] == [
        "samples",
        "errors",
    ]
    tensor = {"name": "samples", "shape": [1, 4], "datatype": "FP32", "data": SAMPLE}
    answer = client.post("/v2/models/tiny-ae.mirror/infer", json={"inputs": [tensor]}).json()
    assert answer["outputs"][0]["data"] == np.ravel(MIRRORED).tolist()
    (statistics,) = client.get("/v2/models/tiny-ae.mirror/stats").json()["model_stats"]
    assert (statistics["inference_count"], statistics["inference_stats"]["success"]["count"]) == (1, 1)
    (decoder,) = client.get("/v2/models/tiny-ae.decode/stats").json()["model_stats"]
    assert decoder["inference_count"] == 0


def test_a_new_task_is_in_the_document(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/models/{model}/mirror"]["post"]
    assert operation["operationId"] == "mirror"
    assert operation["summary"] == "Mirror samples"
    assert "flipped from left to right" in operation["description"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"model", "columns", "label"}
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert set(document["components"]["schemas"][answer.rpartition("/")[2]]["required"]) == {
        "model",
        "version",
        "samples",
        "errors",
    }
    assert "/v1/models/{model}/versions/{version}/mirror" in document["paths"]


def test_the_manifest_decides_which_tasks_a_model_supports(tiny_models: Path) -> None:
    manifest = Manifest.read(tiny_models / "tiny-vae" / "1")
    assert supported_tasks(manifest) == list(FAMILY_TASKS["variational-autoencoder"])


@pytest.mark.parametrize("name", TASKS)
def test_every_summary_has_at_most_five_words(name: str) -> None:
    assert 1 <= len(TASKS[name].summary.split()) <= 5
