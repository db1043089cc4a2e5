"""A version with a prior: what its clients get from /v1, /v2, the OpenAPI document and the metrics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.tiny import LABELS
from tests.helpers.v1 import ACCEPT_PNG, png_pixels
from tests.helpers.v2 import infer, outputs

MIDDLE = [[[0.5, 0.5], [0.5, 0.5]]]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve an autoencoder in two versions, of which the second has a prior, and a conditional model with a prior."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "ae", 1)
    tiny.write_version(root, "ae", 2, prior=True)
    tiny.write_version(root, "classes", 1, kind=tiny.TABLE, labels=LABELS, prior=True)
    with TestClient(create_app(Settings(models_dir=root))) as client:
        yield client


def test_an_autoencoder_generates(client: TestClient) -> None:
    assert client.post("/v1/models/ae/generate?count=1&temperature=0&seed=1").json()["samples"] == [MIDDLE]
    picture = client.post("/v1/models/ae/generate?count=1&temperature=0", headers=ACCEPT_PNG)
    assert png_pixels(picture) == [[128, 128], [128, 128]]


def test_a_seed_gives_the_same_samples_and_more_of_them_begin_alike(client: TestClient) -> None:
    few, many = (client.post(f"/v1/models/ae/generate?count={count}&seed=5").json()["samples"] for count in (3, 30))
    assert many[:3] == few
    assert client.post("/v1/models/ae/generate?count=3&seed=6").json()["samples"] != few


def test_a_conditional_model_generates_under_a_label(client: TestClient) -> None:
    url = "/v1/models/classes/generate?count=1&temperature=0"
    assert client.post(f"{url}&label=low").json()["samples"] == [[0.5] * 4]
    assert client.post(f"{url}&label=high").json()["samples"] == [[2.0] * 4]  # latents of 3, and two quarters
    assert client.post(url).status_code == 422


def test_a_version_without_a_prior_cannot_generate(client: TestClient) -> None:
    answer = client.post("/v1/models/ae/versions/1/generate")
    assert answer.json()["code"] == "unsupported-task"


def test_the_open_inference_protocol_generates_and_counts(client: TestClient) -> None:
    answer = infer(client, "ae.generate", parameters={"count": 2, "temperature": 0.0})
    assert outputs(answer) == {"samples": [MIDDLE, MIDDLE]}
    statistics = client.get("/v2/models/ae.generate/stats").json()["model_stats"]
    assert sum(entry["execution_count"] for entry in statistics if entry["version"] == "2") >= 1


def test_the_description_names_the_prior(client: TestClient) -> None:
    described = client.get("/v1/models/ae").json()
    assert described["prior"] == tiny.fitted_prior().model_dump(mode="json")
    assert "prior.onnx" in described["files"]
    assert "generate" in described["tasks"]
    assert client.get("/v1/models/ae/versions/1").json()["prior"] is None


def test_the_document_offers_generation(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert "/v1/models/{model}/generate" in document["paths"]
    assert "FittedPrior" in document["components"]["schemas"]


def test_runs_of_the_prior_are_measured(client: TestClient) -> None:
    client.post("/v1/models/ae/generate?count=7")
    lines = client.get("/metrics").text.splitlines()
    assert any(line.startswith("hourglass_run") and 'model="ae"' in line for line in lines)
