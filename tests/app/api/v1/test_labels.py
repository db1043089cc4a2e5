"""The option `label`: conditional models decode with one of their labels, and other models refuse it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers.openapi import PREFIXES, assert_that_the_examples_work
from tests.helpers.openapi import TASKS as ROUTES
from tests.helpers.tiny import LABELS
from tests.helpers.v1 import SAMPLE

CONDITIONAL = "the model 'table' is conditional: expected label to be one of low, middle & up, high"


@pytest.fixture(scope="module")
def client(conditional_models: Path) -> Iterator[TestClient]:
    """Start an application over conditional models, and give a client of it."""
    with TestClient(create_app(Settings(models_dir=conditional_models)), raise_server_exceptions=False) as client:
        yield client


TASKS: list[tuple[str, dict[str, Any], list[list[float]]]] = [
    ("table/decode", {"latents": [[1, 0.5]]}, [[0.75, 0.75, 0.5, 0.5]]),
    ("table/reconstruct", {"samples": [SAMPLE]}, [[0.75, 0.75, 0.5, 0.5]]),
    ("table/interpolate?steps=2", {"samples": [SAMPLE, [1, 1, 1, 1]]}, [[0.75, 0.75, 0.5, 0.5], [1.25] * 4]),
    ("sdae/denoise", {"samples": [SAMPLE]}, [[0.75, 0.75, 0.5, 0.5]]),
    ("sdae/denoise?noise=masking&amount=1", {"samples": [SAMPLE]}, [[0.25] * 4]),
]


@pytest.mark.parametrize("version", ["", "/versions/1"])
@pytest.mark.parametrize(("path", "body", "samples"), TASKS, ids=[task[0] for task in TASKS])
def test_every_task_that_decodes_takes_a_label(
    client: TestClient, version: str, path: str, body: dict[str, Any], samples: list[list[float]]
) -> None:
    url = f"/v1/models/{path.replace('/', version + '/', 1)}"
    response = client.post(f"{url}{'&' if '?' in url else '?'}label=middle%20%26%20up", json=body)
    assert response.status_code == 200, response.text
    assert np.reshape(response.json()["samples"], (-1, 4)).tolist() == samples
    refused = client.post(url, json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-parameter")
    assert "is conditional: expected label to be one of low, middle & up, high" in refused.json()["detail"]


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_generate_takes_a_label(client: TestClient, version: str) -> None:
    url = f"/v1/models/vae{version}/generate"
    low, high = (client.post(url, params={"seed": 3, "count": 2, "label": label}).json() for label in ("low", "high"))
    np.testing.assert_allclose(np.array(high["samples"]) - np.array(low["samples"]), 0.5, atol=1e-6)
    assert high.keys() == {"model", "version", "seed", "samples"}
    assert CONDITIONAL.replace("table", "vae") == client.post(url).json()["detail"]


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("table/decode", CONDITIONAL),
        ("table/decode?label=", f"{CONDITIONAL}, got ''"),
        ("table/decode?label=Low", f"{CONDITIONAL}, got 'Low'"),
        ("table/decode?label=0", f"{CONDITIONAL}, got '0'"),
        ("plain/decode?label=low", "the model 'plain' is not conditional: expected no label, got 'low'"),
        ("plain/decode?label=", "the model 'plain' is not conditional: expected no label, got ''"),
        (
            "plain/decode?labels=low",
            "query parameter 'labels': there is no such option here; "
            "the options are columns, scale, rows, label, got 'low'",
        ),
    ],
)
def test_a_label_that_does_not_fit_the_model_is_refused(client: TestClient, path: str, detail: str) -> None:
    response = client.post(f"/v1/models/{path}", json={"latents": [[1, 0.5]]})
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (422, 422, "invalid-parameter")
    assert problem["detail"] == detail


def test_encoding_takes_no_label(client: TestClient) -> None:
    body = {"samples": [SAMPLE]}
    assert client.post("/v1/models/table/encode", json=body).json()["latents"] == [[1, 0.5]]
    assert client.post("/v1/models/table/encode?label=low", json=body).json()["code"] == "invalid-parameter"


def test_the_manifest_lists_the_labels(client: TestClient) -> None:
    assert client.get("/v1/models/table").json()["labels"] == list(LABELS)
    assert client.get("/v1/models/plain").json()["labels"] == []


def test_the_examples_of_conditional_models_hold_a_label(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    parameters = document["paths"]["/v1/models/{model}/generate"]["post"]["parameters"]
    label = next(parameter for parameter in parameters if parameter["name"] == "label")
    assert label["example"] == "low"
    assert not label["required"]
    assert "`labels`" in label["description"]
    for prefix, task in itertools.product(PREFIXES, ROUTES):
        assert_that_the_examples_work(client, document, f"{prefix}{task}", "post")
