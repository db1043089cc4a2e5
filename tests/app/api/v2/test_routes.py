"""The routes of /v2 beside inference: the server, probes, the repository, and errors."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from app.manifest import FAMILY_TASKS, Family
from tests.helpers.openapi import responses


def test_the_server_has_a_name_a_version_and_extensions(client: TestClient) -> None:
    answer = client.get("/v2", follow_redirects=False).json()
    assert answer.keys() == {"name", "version", "extensions"}
    assert {"binary_tensor_data", "model_configuration", "statistics"} <= set(answer["extensions"])
    assert client.get("/v2/", follow_redirects=False).json() == answer


@pytest.mark.parametrize(("probe", "member"), [("live", "live"), ("ready", "ready")])
def test_probes_answer_get_and_head(client: TestClient, probe: str, member: str) -> None:
    assert client.get(f"/v2/health/{probe}").json() == {member: True}
    assert client.head(f"/v2/health/{probe}").status_code == 200


def test_every_task_of_every_model_is_a_model(client: TestClient) -> None:
    families: dict[str, Family] = {
        "tiny-ae": "autoencoder",
        "tiny-table": "autoencoder",
        "tiny-sdae": "denoising-autoencoder",
        "tiny-vae": "variational-autoencoder",
    }
    expected = {f"{name}.{task}" for name, family in families.items() for task in FAMILY_TASKS[family]}
    expected |= {"tiny-ae.score", "tiny-table.score"}
    assert set(client.get("/v2/models").json()["models"]) == expected
    index = client.post("/v2/repository/index").json()
    assert {entry["name"] for entry in index} == expected
    assert {(entry["state"], entry["reason"]) for entry in index} == {("READY", "")}
    assert [entry["version"] for entry in index if entry["name"] == "tiny-ae.encode"] == ["1", "2"]
    for name in expected:
        assert client.get(f"/v2/models/{name}/ready").json() == {"name": name, "ready": True}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}', b" "])
def test_the_index_takes_every_body_that_clients_send(client: TestClient, body: bytes) -> None:
    headers = {"content-type": "application/octet-stream"}
    assert client.post("/v2/repository/index", content=body, headers=headers).status_code == 200


@pytest.mark.parametrize("body", [b"[]", b'{"ready": "yes"}', b"{"])
def test_the_index_refuses_other_bodies(client: TestClient, body: bytes) -> None:
    assert client.post("/v2/repository/index", content=body).json()["code"] == "malformed-body"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/repository/models/tiny-ae.encode/load", 403),
        ("POST", "/v2/repository/models/tiny-ae.encode/unload", 403),
        ("GET", "/v2/trace/setting", 404),
        ("POST", "/v2/logging", 404),
        ("GET", "/v2/systemsharedmemory/status", 403),
        ("GET", "/v2/cudasharedmemory/status", 403),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/nobody/ready", 404),
        ("GET", "/v2/models/tiny-ae.encode/versions/9/config", 404),
        ("GET", "/v2/models/tiny-ae.encode/infer", 405),
        ("DELETE", "/v2/models/tiny-ae.encode", 405),
    ],
)
def test_every_error_has_a_member_error(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert isinstance(answer.json()["error"], str)


def test_the_document_has_the_routes(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v2/models/{name}/infer"]["post"]
    assert operation["operationId"] == "infer"
    assert {p["name"] for p in operation["parameters"]} == {"name", "Inference-Header-Content-Length"}
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert operation["responses"]["200"]["content"]["application/octet-stream"]["schema"]["format"] == "binary"
    assert {"400", "404", "413", "415", "422", "503", "504"} <= operation["responses"].keys()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in responses(document, operation).items():
                if path.startswith("/v2") and status not in ("200", "503"):
                    assert "application/json" in response["content"], (path, status)
