"""The routes of models and their versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app
from app.manifest import MANIFEST
from app.settings import Settings
from app.tasks import TASKS
from tests.helpers import tiny


def test_models_are_listed_with_their_manifests(client: TestClient) -> None:
    models = client.get("/v1/models").json()["models"]
    assert [(m["name"], m["version"]) for m in models] == [
        ("tiny-ae", 2),
        ("tiny-sdae", 1),
        ("tiny-table", 1),
        ("tiny-vae", 1),
    ]
    assert client.get("/v1/models/tiny-ae").json() == models[0]
    assert client.get("/v1/models/tiny-ae/versions/1").json()["version"] == 1
    versions = client.get("/v1/models/tiny-ae/versions").json()["models"]
    assert [m["version"] for m in versions] == [1, 2]
    assert models[2]["input"] == {
        "kind": "vector",
        "shape": [4],
        "value_range": None,
        "range_origin": "stated",
        "feature_names": ["a", "b", "c", "d"],
        "one_hot": {},
        "booleans": {},
        "fill": [],
        "window": [],
    }


def test_versions_that_cannot_be_loaded_are_listed_if_there_are_some(client: TestClient, tmp_path: Path) -> None:
    assert client.get("/v1/models").json().keys() == {"models"}
    tiny.write_version(tmp_path)
    (tiny.write_version(tmp_path, version=2) / MANIFEST).unlink()
    with TestClient(build_app(State.load(Settings(models_dir=tmp_path)))) as other:
        answer = other.get("/v1/models").json()
        assert other.get("/v1/models/tiny/versions").json() == answer
    assert answer["problems"] == [{"name": "tiny", "version": 2, "reason": "model.json is missing"}]
    assert [model["version"] for model in answer["models"]] == [1]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nobody", "unknown-model"),
        ("nobody/versions", "unknown-model"),
        ("nobody/versions/1", "unknown-model"),
        ("tiny-ae/versions/9", "unknown-version"),
        ("tiny-ae/versions/x", "unknown-version"),
        ("tiny-ae/encode/more", "not-found"),
    ],
)
def test_unknown_models_and_versions_are_not_found(client: TestClient, path: str, code: str) -> None:
    response = client.get(f"/v1/models/{path}")
    assert (response.status_code, response.json()["code"]) == (404, code)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_tasks_are_posted(client: TestClient, version: str, task: str) -> None:
    response = client.get(f"/v1/models/tiny-ae{version}/{task}")
    assert (response.status_code, response.json()["code"]) == (405, "method-not-allowed")
    assert response.headers["allow"] == "POST"
