"""The models of /v2: metadata, configuration and statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.api.v2.models import Entries
from app.errors import UnknownModel, UnknownVersion
from app.main import create_app
from app.settings import Settings
from tests.helpers.v2 import SAMPLE, infer, outputs, tensor


def test_the_metadata_has_the_tensors_and_the_versions(client: TestClient) -> None:
    assert client.get("/v2/models/tiny-ae.reconstruct").json() == {
        "name": "tiny-ae.reconstruct",
        "versions": ["1", "2"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "samples", "datatype": "FP32", "shape": [-1, 1, 2, 2]}],
        "outputs": [
            {"name": "samples", "datatype": "FP32", "shape": [-1, 1, 2, 2]},
            {"name": "errors", "datatype": "FP32", "shape": [-1]},
        ],
    }
    assert client.get("/v2/models/tiny-ae.reconstruct/versions/1").json()["versions"] == ["1", "2"]


METADATA: list[tuple[str, tuple[str, list[int]], list[tuple[str, list[int]]]]] = [
    ("tiny-table.encode", ("samples", [-1, 4]), [("latents", [-1, 2])]),
    ("tiny-table.decode", ("latents", [-1, 2]), [("samples", [-1, 4])]),
    ("tiny-sdae.denoise", ("samples", [-1, 1, 2, 2]), [("samples", [-1, 1, 2, 2]), ("noisy", [-1, 1, 2, 2])]),
    ("tiny-ae.interpolate", ("samples", [2, 1, 2, 2]), [("samples", [-1, 1, 2, 2])]),
    ("tiny-vae.generate", ("count", [1]), [("samples", [-1, 1, 2, 2])]),
]


@pytest.mark.parametrize(("model", "takes", "gives"), METADATA, ids=[row[0] for row in METADATA])
def test_the_metadata_suffices_to_write_a_request(client: TestClient, model: str, takes: Any, gives: Any) -> None:
    metadata = client.get(f"/v2/models/{model}").json()
    assert [(t["name"], t["shape"]) for t in metadata["inputs"]] == [takes]
    assert [(t["name"], t["shape"]) for t in metadata["outputs"]] == gives
    (described,) = metadata["inputs"]
    shape = [3 if length == -1 else length for length in described["shape"]]
    ones = np.ones(shape, {"FP32": np.float32, "INT64": np.int64}[described["datatype"]])
    wanted = [{"name": output["name"]} for output in metadata["outputs"]]
    sent = {"name": described["name"], "datatype": described["datatype"], "shape": shape, "data": ones.tolist()}
    answer = outputs(infer(client, model, sent, outputs=wanted))
    for output in metadata["outputs"]:
        got = list(np.shape(answer[output["name"]]))
        assert len(got) == len(output["shape"])
        assert all(expected in (-1, length) for expected, length in zip(output["shape"], got, strict=True))


def test_the_configuration_has_the_limits_and_the_tensors(client: TestClient) -> None:
    config = client.get("/v2/models/tiny-ae.encode/config").json()
    assert config["name"] == "tiny-ae.encode"
    assert config["max_batch_size"] == 16  # max_rows of the fixture
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["input"]] == [("samples", "TYPE_FP32", [1, 2, 2])]
    assert [(t["name"], t["data_type"], t["dims"]) for t in config["output"]] == [("latents", "TYPE_FP32", [2])]
    assert config["dynamic_batching"]["max_queue_delay_microseconds"] == 0
    generate = client.get("/v2/models/tiny-vae.generate/versions/1/config").json()
    assert (generate["max_batch_size"], generate["input"][0]["dims"]) == (0, [1])
    assert generate["input"][0]["optional"] is True
    assert generate["output"][0]["dims"] == [-1, 1, 2, 2]
    assert "dynamic_batching" not in generate


def test_statistics_count_requests_rows_and_runs(tiny_models: Path) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        before = client.get("/v2/models/tiny-ae.encode/stats").json()["model_stats"][0]
        assert (before["inference_count"], before["last_inference"]) == (0, 0)
        for rows in (3, 3, 1):
            outputs(infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE] * rows)))
        assert infer(client, "tiny-ae.encode", tensor("samples", [[1]])).status_code == 422
        (after,) = client.get("/v2/models/tiny-ae.encode/versions/2/stats").json()["model_stats"]
        assert (after["name"], after["version"]) == ("tiny-ae.encode", "2")
        assert (after["inference_count"], after["execution_count"]) == (7, 3)
        counts = {name: duration["count"] for name, duration in after["inference_stats"].items()}
        expected = {"success": 3, "fail": 1, "queue": 3, "compute_input": 3, "compute_infer": 3, "compute_output": 3}
        assert counts == {**expected, "cache_hit": 0, "cache_miss": 0}
        spent = {name: duration["ns"] for name, duration in after["inference_stats"].items()}
        parts = sum(spent[name] for name in ("compute_input", "compute_infer", "compute_output"))
        assert 0 < parts <= spent["success"]
        batches = {batch["batch_size"]: batch["compute_infer"]["count"] for batch in after["batch_stats"]}
        assert batches == {1: 1, 3: 2}
        assert after["last_inference"] > 1.7e12
        everything = client.get("/v2/models/stats").json()["model_stats"]
        assert len(everything) == len(client.post("/v2/repository/index").json())
        assert after in everything


def test_entries_are_found_by_name_and_version(tiny_state: State) -> None:
    entries = tiny_state.catalog.view(Entries)
    assert entries.get("tiny-ae.encode").version == entries.get("tiny-ae.encode", "latest").version == "2"
    assert entries.get("tiny-ae.encode", "1").version == "1"
    assert len(list(entries)) == (4 + 5) + 5 + 5 + 5
    assert "tiny-vae.generate" in entries.names()


def test_unknown_entries_are_answered_with_the_known_ones(tiny_state: State) -> None:
    entries = tiny_state.catalog.view(Entries)
    with pytest.raises(UnknownModel, match=r"no model 'tiny-ae\.generate'; there are tiny-ae\.encode, "):
        entries.get("tiny-ae.generate")
    for version in ("3", "01", "0", "x"):
        with pytest.raises(UnknownVersion, match=rf"has no version '{version}'; it has 1, 2"):
            entries.get("tiny-ae.encode", version)
