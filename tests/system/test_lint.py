"""redocly and spectral find nothing in the OpenAPI document, whatever the settings and the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app
from app.server.guard.keys import key_line
from app.settings import Settings
from tests.helpers.clients import furnish, run_tools

pytestmark = pytest.mark.needs("node", "npm")

KEY = "hg_secret"


def document(models_dir: Path, **settings: Any) -> str:
    """Return the document of a server with these settings."""
    app = build_app(State.load(Settings(models_dir=models_dir, **settings)))
    with TestClient(app, headers={"X-API-Key": KEY}) as client:
        return str(client.get("/openapi.json").text)


def everything(tmp_path: Path) -> dict[str, Any]:
    """Return all settings that the document shows."""
    keys = tmp_path / "keys"
    keys.write_text(key_line("alice", "inference", KEY))
    return {"keys_file": keys, "rate_limit": "1000/second", "root_path": "/hourglass", "control": True}


@pytest.mark.parametrize("models", ["bundled", "tiny_models", "conditional_models", "table"])
@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
def test_linters_find_nothing(models: str, closed: bool, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if models == "table":  # no task takes images, and none generates
        repository = tmp_path / "models"
        (repository / "tiny-table").parent.mkdir()
        (repository / "tiny-table").symlink_to(request.getfixturevalue("tiny_models") / "tiny-table")
    else:
        repository = request.getfixturevalue(models)
    settings = everything(tmp_path) if closed else {}
    furnish(tmp_path, document(repository, **settings), "redocly.yaml", "spectral.yaml")
    redocly = run_tools("redocly lint --config redocly.yaml --format json openapi.json", tmp_path)
    assert '"errors": 0' in redocly
    assert '"warnings": 0' in redocly
    spectral = run_tools("spectral lint --ruleset spectral.yaml --fail-severity hint openapi.json", tmp_path)
    assert "No results" in spectral


def test_linters_see_what_is_wrong(tmp_path: Path, bundled: Path) -> None:
    broken = document(bundled).replace('"operationId":"encode"', '"operationId":"decode"')
    furnish(tmp_path, broken, "redocly.yaml", "spectral.yaml")
    with pytest.raises(AssertionError, match="operationId"):
        run_tools("redocly lint --config redocly.yaml openapi.json", tmp_path)
    with pytest.raises(AssertionError, match="operationId"):
        run_tools("spectral lint --ruleset spectral.yaml --fail-severity hint openapi.json", tmp_path)
