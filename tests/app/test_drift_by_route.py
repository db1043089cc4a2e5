"""Drift: what clients and operators see of the rows that were scored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.metrics import scrape, total
from tests.helpers.process import serving, wait_for_workers
from tests.helpers.v2 import infer, tensor

PATH = "/v1/models/table/drift"
FAR, NEAR = [3, 0, 0, 0], [0.5, 0, 0, 0]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a model of a table in two versions that score, and one that does not."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "table", 1, kind=tiny.TABLE, scorer=True)
    tiny.write_version(root, "table", 2, kind=tiny.TABLE, scorer=True)
    tiny.write_version(root, "plain")
    return root


@pytest.fixture
def client(models: Path) -> Iterator[TestClient]:
    """Serve the models with windows of 300 rows."""
    with TestClient(create_app(Settings(models_dir=models, drift_window=300))) as client:
        yield client


def test_a_window_is_judged_once_it_has_enough_rows(client: TestClient) -> None:
    empty = {"window": 300, "rows": 0, "calibration_rows": 9, "alpha": 0.01, "drifting": False}
    assert client.get(PATH).json() == {"model": "table", "version": 2, **empty}
    client.post("/v1/models/table/score", json={"samples": [FAR] * 200})
    infer(client, "table.score", tensor("samples", [FAR] * 50))
    report = client.get(PATH).json()
    assert (report["rows"], report["drifting"]) == (250, True)
    assert report["uniformity"]["statistic"] == pytest.approx(1.0)
    assert (report["excess"]["level"], report["excess"]["share"]) == (0.1, 1.0)
    assert report["shift"]["probability"] == pytest.approx(1.0)
    least = min(report[name]["p_value"] for name in ("uniformity", "shift", "excess"))
    assert report["p_value"] == pytest.approx(3 * least, abs=0)
    assert report["p_value"] < report["alpha"]


def test_latents_have_a_p_value_of_their_own(tmp_path: Path) -> None:
    tiny.add_latents(tiny.write_version(tmp_path, "table", kind=tiny.TABLE, scorer=True))
    with TestClient(create_app(Settings(models_dir=tmp_path, drift_window=300))) as client:
        assert "latents" not in client.get(PATH).json()
        client.post("/v1/models/table/score", json={"samples": [[0.3, 0, 0, 0], [0.9, 1, 0, 0]] * 300})
        report = client.get(PATH).json()
        first, second = report["latents"]["tests"]
        assert (first["latent"], second["latent"]) == (0, 1)
        assert report["latents"]["rows"] == pytest.approx(150, abs=5)
        assert first["statistic"] == pytest.approx(0.5, abs=0.02)  # half of the sums are above 1
        assert second["statistic"] == pytest.approx(1 - 4 / 9)  # all are below 0.25
        assert report["latents"]["p_value"] == pytest.approx(min(1, 2 * min(first["p_value"], second["p_value"])))
        assert 'hourglass_drift_latents_p_value{model="table",version="1"}' in client.get("/metrics").text


def test_the_caller_owns_the_level(client: TestClient) -> None:
    client.post("/v1/models/table/score", json={"samples": [FAR] * 30 + [NEAR] * 70})
    p_value = client.get(PATH).json()["p_value"]
    for alpha, drifting in ((p_value * 0.9, False), (p_value * 1.1, True)):
        report = client.get(f"{PATH}?alpha={alpha}").json()
        assert (report["alpha"], report["drifting"]) == (alpha, drifting)
    refused = client.get(f"{PATH}?alpha=1")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-parameter")


def test_each_version_has_a_window_of_its_own(client: TestClient) -> None:
    client.post("/v1/models/table/versions/1/score", json={"samples": [FAR] * 10})
    assert client.get("/v1/models/table/versions/1/drift").json()["rows"] == 10
    assert client.get(PATH).json()["rows"] == 0


def test_a_refused_request_leaves_no_trace(client: TestClient) -> None:
    assert client.post("/v1/models/table/score?alpha=0.01", json={"samples": [FAR]}).status_code == 422
    assert client.get(PATH).json()["rows"] == 0


def test_drift_that_is_not_known_is_an_error(client: TestClient, models: Path) -> None:
    missing = client.get("/v1/models/plain/drift")
    assert (missing.status_code, missing.json()["code"]) == (404, "unsupported-task")
    assert client.get("/v1/models/unknown/drift").json()["code"] == "unknown-model"
    with TestClient(create_app(Settings(models_dir=models, drift_window=0))) as off:
        assert off.post("/v1/models/table/score", json={"samples": [FAR]}).status_code == 200
        assert (off.get(PATH).status_code, off.get(PATH).json()["code"]) == (403, "refused")
        assert "hourglass_drift_rows{" not in off.get("/metrics").text


def test_the_document_describes_the_report(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    responses = document["paths"][PATH.replace("table", "{model}")]["get"]["responses"]
    assert {"200", "403", "404", "422"} < responses.keys()
    report = document["components"]["schemas"]["DriftReport"]
    assert {"window", "rows", "alpha", "drifting"} < set(report["required"])


def test_two_workers_have_one_window(models: Path) -> None:
    with serving(models_dir=str(models), workers="2", drift_window="300") as (_, address, log):
        wait_for_workers(2, log)
        for _ in range(30):  # connections of their own, so that both workers get some
            assert httpx.post(f"{address}/v1/models/table/score", json={"samples": [NEAR] * 10}).status_code == 200
        rows = {httpx.get(address + PATH).json()["rows"] for _ in range(10)}
        assert len(rows) == 1
        assert 150 <= min(rows) <= 300
        assert total(scrape(address), "hourglass_drift_rows", 'version="2"') == min(rows)
