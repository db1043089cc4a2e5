"""Requests to both checkouts, and the table of their CPU times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest
from starlette.testclient import TestClient

from app.main import create_app
from app.manifest import Manifest
from app.settings import Settings
from bench.serving.compare import checkout_server, requests, table, write_format_1
from tests.helpers import bench, tiny
from tests.helpers.bench import timed

MODEL = "bench-dense"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Return a client of the server, with a tiny model under the name of the benchmark's."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, MODEL)
    return TestClient(create_app(Settings(models_dir=root)))


def post(client: TestClient, load: str) -> bytes:
    request = requests(bench.inputs(), MODEL)[load]
    answer = client.post(request.path, content=request.body, headers=dict(request.headers))
    assert answer.status_code == 200, answer.text
    content: bytes = answer.content
    return content


@pytest.mark.parametrize("load", requests(bench.inputs(), MODEL))
def test_this_server_answers_every_load(client: TestClient, load: str) -> None:
    assert post(client, load)


def test_v2_json_is_answered_with_the_latents(client: TestClient) -> None:
    (tensor,) = orjson.loads(post(client, "v2-json-1"))["outputs"]
    np.testing.assert_allclose(tensor["data"], bench.PAIRS[0], rtol=1e-6)


def test_v2_bytes_are_answered_with_bytes(client: TestClient) -> None:
    latents = np.frombuffer(post(client, "v2-binary-32")[-bench.PAIRS.nbytes :], np.float32)
    np.testing.assert_allclose(latents.reshape(32, 2), bench.PAIRS, rtol=1e-6)


def test_a_server_runs_the_code_of_its_checkout() -> None:
    command = checkout_server("before", Path("/old")).start(80, Path("/models/a/1"))
    assert {"--chdir=/old", "PYTHONPATH=/old", "HOURGLASS_PORT=80", "HOURGLASS_MODELS_DIR=/models"} <= set(command)


def test_the_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    before, after = [100.0, 200.0, 400.0], [50.0, 180.0, 600.0]
    timings = {("json-1", 16): {"before": list(map(timed, before)), "after": list(map(timed, after))}}
    assert table(timings).splitlines()[2] == "| json-1 | 16 | 200.0 | 180.0 | 0.900 | 0.500 to 1.500 |"


def test_older_checkouts_can_read_the_manifest(tmp_path: Path) -> None:
    version = tiny.write_version(tmp_path)
    write_format_1(version)
    document = orjson.loads((version / "model.json").read_bytes())
    assert document["format"] == 1
    assert document["input"].keys() == {"kind", "shape", "channel_order", "value_range"}
    assert Manifest.read(version).input == tiny.IMAGE
