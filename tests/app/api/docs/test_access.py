"""The document names the server's address, its scheme of keys, and the refusals of the guard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app
from app.server.guard.keys import key_line
from app.settings import Settings
from tests.helpers.openapi import operations

KEY = "hg_secret"
HEALTH = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}
CONTROL = {"/v2/repository/models/{name}/load", "/v2/repository/models/{name}/unload"}


def document(tiny_models: Path, **settings: Any) -> dict[str, Any]:
    """Get the document of a server with these settings."""
    app = build_app(State.load(Settings(models_dir=tiny_models, **settings)))
    with TestClient(app, headers={"X-API-Key": KEY}) as client:
        answer = client.get("/openapi.json")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
    validate(document)
    return document


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Write a file with one key."""
    path = tmp_path / "keys"
    path.write_text(key_line("alice", "inference", KEY))
    return path


def test_an_open_server_needs_no_key(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["security"] == []
    assert "securitySchemes" not in document["components"]
    for _, operation in operations(document):
        assert not {"401", "429"} & operation["responses"].keys()
        assert "security" not in operation


@pytest.mark.parametrize("root_path", ["", "/hourglass"])
def test_the_server_is_named_with_its_root_path(tiny_models: Path, root_path: str) -> None:
    (server,) = document(tiny_models, root_path=root_path)["servers"]
    assert server["url"] == (root_path or "/")


def test_keys_are_documented_where_they_are_needed(tiny_models: Path, keys_file: Path) -> None:
    described = document(tiny_models, keys_file=keys_file)
    schemes = described["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["apiKey"]["in"], schemes["apiKey"]["name"]) == ("header", "X-API-Key")
    assert described["security"] == [{"bearer": []}, {"apiKey": []}]
    for path, methods in described["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) == (path in HEALTH)
            assert ("401" in operation["responses"]) == (path not in HEALTH)
    assert "WWW-Authenticate" in described["components"]["responses"]["Unauthorized"]["headers"]
    encode = described["paths"]["/v1/models/{model}/encode"]["post"]["responses"]
    assert encode["403"] == {"$ref": "#/components/responses/Forbidden"}
    assert "403" not in described["paths"]["/v1/models"]["get"]["responses"]
    for path in CONTROL:
        assert "403" in described["paths"][path]["post"]["responses"]


def test_a_rate_limit_is_documented(tiny_models: Path) -> None:
    described = document(tiny_models, rate_limit="1000/second")
    paths, headers = described["paths"], described["components"]["responses"]["TooManyRequests"]["headers"]
    assert "Retry-After" in headers
    assert "429" in paths["/v1/models"]["get"]["responses"]
    assert "429" not in paths["/livez"]["get"]["responses"]
