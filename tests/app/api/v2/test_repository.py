"""The index of the repository, and loading and unloading models with /v2."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.api.v2.repository import model_name
from app.main import build_app
from app.manifest import ENCODER, MANIFEST
from app.settings import Settings
from tests.helpers import tiny


def serve(models: Path, **settings: Any) -> Iterator[TestClient]:
    """Start an application over a repository, without polling, and give a client of it."""
    state = State.load(Settings(models_dir=models, reload_seconds=0, **settings))
    with TestClient(build_app(state)) as client:
        yield client


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Write a repository of `ae`, whose version 2 is broken, and `table`."""
    tiny.write_version(tmp_path, "ae", 1)
    (tiny.write_version(tmp_path, "ae", 2) / MANIFEST).unlink()
    tiny.write_version(tmp_path, "table", kind=tiny.TABLE)
    return tmp_path


@pytest.fixture
def client(models: Path) -> Iterator[TestClient]:
    """Start an application whose clients may load and unload models."""
    yield from serve(models, control=True)


def states(entries: list[dict[str, str]]) -> set[tuple[str, str, str]]:
    """Return the name, version and state of each entry of an index, of all tasks only `encode`."""
    return {
        (entry["name"], entry["version"], entry["state"])
        for entry in entries
        if entry["name"].endswith(".encode") or "." not in entry["name"]
    }


def test_the_index_has_broken_versions_with_the_reason(client: TestClient) -> None:
    entries = client.post("/v2/repository/index").json()
    assert states(entries) == {("ae.encode", "1", "READY"), ("table.encode", "1", "READY"), ("ae", "2", "UNAVAILABLE")}
    assert [entry["reason"] for entry in entries if entry["reason"]] == ["model.json is missing"]
    ready = client.post("/v2/repository/index", json={"ready": True}).json()
    assert states(ready) == {("ae.encode", "1", "READY"), ("table.encode", "1", "READY")}


@pytest.mark.parametrize("name", ["table.encode", "table"])
def test_a_whole_model_is_unloaded_and_loaded(client: TestClient, name: str) -> None:
    answer = client.post(f"/v2/repository/models/{name}/unload", json={"parameters": {"unload_dependents": False}})
    assert answer.status_code == 200
    assert answer.json() == [{"name": "table", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}]
    assert client.get("/v2/models/table.decode/ready").status_code == 404
    assert client.get("/v1/models/table").status_code == 404
    assert "problems" in client.get("/v1/models").json()
    answer = client.post(f"/v2/repository/models/{name}/load")
    assert states(answer.json()) == {("table.encode", "1", "READY")}
    assert client.get("/v2/models/table.decode/ready").status_code == 200


def test_a_new_model_and_a_new_version_are_loaded(models: Path, client: TestClient) -> None:
    tiny.write_version(models, "new", 1)
    tiny.write_version(models, "table", 2, kind=tiny.TABLE)
    assert client.post("/v2/repository/models/new.encode/load").status_code == 200
    assert client.get("/v1/models/new").json()["version"] == 1
    assert client.get("/v1/models/table").json()["version"] == 1
    client.post("/v2/repository/models/table/load")
    assert client.get("/v1/models/table").json()["version"] == 2


def test_a_version_that_cannot_be_loaded_is_a_conflict(models: Path, client: TestClient) -> None:
    answer = client.post("/v2/repository/models/ae.encode/load")
    assert (answer.status_code, answer.json()["code"]) == (409, "load-failed")
    assert answer.json()["detail"] == "ae version 2: model.json is missing"
    shutil.rmtree(models / "ae" / "2")
    assert client.post("/v2/repository/models/ae.encode/load").status_code == 200
    assert client.get("/v1/models").json().keys() == {"models"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("nobody/load", b"", 404, "unknown-model"),
        ("nobody.encode/unload", b"", 404, "unknown-model"),
        ("table/load", b'{"parameters": {"config": "{}"}}', 403, "refused"),
        ("table/load", b"[]", 400, "malformed-body"),
        ("table/unload", b'{"parameters": 1}', 400, "malformed-body"),
        ("table/unload", b"{", 400, "malformed-body"),
    ],
)
def test_wrong_requests_change_nothing(client: TestClient, path: str, body: bytes, status: int, code: str) -> None:
    answer = client.post(f"/v2/repository/models/{path}", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get("/v1/models/table").status_code == 200


def test_the_last_model_is_not_unloaded(client: TestClient) -> None:
    client.post("/v2/repository/models/ae/unload")
    answer = client.post("/v2/repository/models/table/unload")
    assert (answer.status_code, answer.json()["code"]) == (403, "refused")
    assert client.get("/v1/models/table").status_code == 200


@pytest.mark.parametrize("settings", [{}, {"control": True, "workers": 2}])
@pytest.mark.parametrize("action", ["load", "unload"])
def test_control_needs_the_setting_and_one_worker(models: Path, settings: dict[str, Any], action: str) -> None:
    for client in serve(models, **settings):
        answer = client.post(f"/v2/repository/models/table.encode/{action}", content=b"{")
        assert (answer.status_code, answer.json()["code"]) == (403, "refused")


def test_a_name_is_a_task_of_a_model_before_it_is_a_model(tmp_path: Path) -> None:
    for name in ("a", "b.encode", "c", "c.encode"):
        tiny.write_version(tmp_path, name)
    (tmp_path / "c" / "1" / ENCODER).unlink()
    state = State.load(Settings(models_dir=tmp_path))
    for name, model in {
        "a.encode": "a",
        "a": "a",
        "b.encode": "b.encode",
        "b.encode.decode": "b.encode",
        "c.encode": "c",
        "new.encode": "new",
        "new.fly": "new.fly",
    }.items():
        assert model_name(name, state.catalog) == model, name
    state.close()
