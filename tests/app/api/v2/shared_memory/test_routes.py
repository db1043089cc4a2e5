"""Regions are registered over HTTP, if the operator allows it."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers.v2 import SAMPLE, infer, tensor

REGION = "/v2/systemsharedmemory/region/half"


@pytest.fixture(scope="module")
def sharing(tiny_models: Path) -> Iterator[TestClient]:
    """Start an application that offers shared memory."""
    with TestClient(create_app(Settings(models_dir=tiny_models, shared_memory=True))) as client:
        yield client


@pytest.fixture
def memory() -> Iterator[SharedMemory]:
    """Make shared memory."""
    memory = SharedMemory(create=True, size=64)
    yield memory
    memory.close()
    memory.unlink()


def test_regions_are_registered_listed_and_forgotten(sharing: TestClient, memory: SharedMemory) -> None:
    body = {"key": f"/{memory.name}", "offset": 32, "byte_size": 32}
    region = {"name": "half", **body}
    assert sharing.post(f"{REGION}/register", json=body).json() == [region]
    assert sharing.get("/v2/systemsharedmemory/status").json() == [region]
    assert sharing.get(f"{REGION}/status").json() == [region]
    again = sharing.post(f"{REGION}/register", json=body)
    assert (again.status_code, again.json()["code"]) == (422, "invalid-shared-memory")
    assert sharing.post(f"{REGION}/unregister").json() == []
    assert sharing.get(f"{REGION}/status").status_code == 422
    assert sharing.post("/v2/systemsharedmemory/unregister").json() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"key": "a"}', b'{"key": "a", "byte_size": "1"}', b"{"])
def test_a_body_without_a_region_is_named(sharing: TestClient, body: bytes) -> None:
    answer = sharing.post(f"{REGION}/register", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")


def test_the_extension_is_listed_only_if_it_is_offered(sharing: TestClient, client: TestClient) -> None:
    assert "system_shared_memory" in sharing.get("/v2").json()["extensions"]
    assert "system_shared_memory" not in client.get("/v2").json()["extensions"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/systemsharedmemory/status"),
        ("GET", f"{REGION}/status"),
        ("POST", f"{REGION}/register"),
        ("POST", f"{REGION}/unregister"),
        ("POST", "/v2/systemsharedmemory/unregister"),
    ],
)
@pytest.mark.parametrize(
    ("settings", "reason"),
    [({}, "HOURGLASS_SHARED_MEMORY is not set"), ({"shared_memory": True, "workers": 2}, "needs HOURGLASS_WORKERS=1")],
)
def test_without_it_the_reason_is_named(
    tiny_models: Path, settings: dict[str, Any], reason: str, method: str, path: str
) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models, **settings))) as client:
        answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "refused")
    assert reason in answer.json()["error"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_cuda_is_refused(sharing: TestClient, method: str) -> None:
    answer = sharing.request(method, "/v2/cudasharedmemory/region/a/register")
    assert answer.status_code == 403
    assert "models run on the CPU" in answer.json()["error"]


def test_a_tensor_has_one_place(sharing: TestClient, memory: SharedMemory) -> None:
    sharing.post(f"{REGION}/register", json={"key": memory.name, "byte_size": 64})
    parameters = {"shared_memory_region": "half", "shared_memory_byte_size": 16}
    both = infer(sharing, "tiny-ae.encode", tensor("samples", [SAMPLE], parameters=parameters))
    assert (both.status_code, both.json()["code"]) == (400, "malformed-body")
    short = {"name": "samples", "shape": [2, 4], "datatype": "FP32", "parameters": parameters}
    answer = infer(sharing, "tiny-ae.encode", short)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
    assert "expected 32 bytes of FP32 for shape [2, 4], got 16" in answer.json()["error"]
    sharing.post("/v2/systemsharedmemory/unregister")
