"""Inference: tensors in, tensors out, options, errors, and runs that both protocols share."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app, create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.applications import get_without_start, post_together
from tests.helpers.v2 import LENGTH, SAMPLE, binary_input, framed, infer, outputs, tensor


def test_the_tasks_return_the_computed_values(client: TestClient) -> None:
    two: list[Any] = [SAMPLE, [1, 1, 1, 1]]
    halves = [[[[0.5, 0.5], [0.25, 0.25]]], [[[1, 1], [1, 1]]]]
    assert outputs(infer(client, "tiny-ae.encode", tensor("samples", two))) == {"latents": [[1, 0.5], [2, 2]]}
    assert outputs(infer(client, "tiny-ae.decode", tensor("latents", [[1, 0.5], [2, 2]]))) == {"samples": halves}
    reconstructed = outputs(infer(client, "tiny-ae.reconstruct", tensor("samples", two)))
    assert reconstructed == {"samples": halves, "errors": [0.0625, 0]}
    denoised = outputs(infer(client, "tiny-sdae.denoise", tensor("samples", two)))
    assert denoised == {"samples": halves, "noisy": np.reshape(two, (2, 1, 2, 2)).tolist()}
    line = outputs(infer(client, "tiny-ae.interpolate", tensor("samples", two), parameters={"steps": 2}))
    assert line == {"samples": halves}
    assert outputs(infer(client, "tiny-table.decode", tensor("latents", [[10, -4]]))) == {"samples": [[5, 5, -2, -2]]}


def test_a_body_of_bytes_only_holds_rows(client: TestClient) -> None:
    two = struct.pack("<8f", *SAMPLE, 1, 1, 1, 1)
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=two, headers={LENGTH: "0"})
    assert outputs(answer) == {"latents": [[1, 0.5], [2, 2]]}
    assert LENGTH in answer.headers
    count = client.post("/v2/models/tiny-vae.generate/infer", content=struct.pack("<q", 3), headers={LENGTH: "0"})
    assert np.shape(outputs(count)["samples"]) == (3, 1, 2, 2)
    refused = client.post("/v2/models/tiny-ae.encode/infer", content=two[:-1], headers={LENGTH: "0"})
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed-body")


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "application/json", "text/plain"])
def test_the_content_type_is_ignored(client: TestClient, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    content = json.dumps({"inputs": [tensor("samples", [SAMPLE])]})
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=content, headers=headers)
    assert outputs(answer) == {"latents": [[1, 0.5]]}


@pytest.mark.parametrize("datatype", ["UINT8", "INT64", "FP16", "FP64", "BOOL"])
def test_other_datatypes_become_float32(client: TestClient, datatype: str) -> None:
    dtype = {"UINT8": "u1", "INT64": "<i8", "FP16": "<f2", "FP64": "<f8", "BOOL": "?"}[datatype]
    blob = np.array([1, 0, 1, 1], dtype).tobytes()
    described = binary_input("samples", [1, 4], len(blob), datatype)
    answer = client.post("/v2/models/tiny-ae.encode/infer", **framed({"inputs": [described]}, blob))
    assert outputs(answer) == {"latents": [[1, 2]]}


def test_options_are_parameters_of_the_request(client: TestClient) -> None:
    drawn = infer(client, "tiny-vae.encode", tensor("samples", [SAMPLE]), parameters={"sample": True, "seed": 3})
    query = client.post("/v1/models/tiny-vae/encode?sample=true&seed=3", json={"samples": [SAMPLE]})
    np.testing.assert_array_equal(outputs(drawn)["latents"], np.array(query.json()["latents"], np.float32))
    assert drawn.json()["parameters"] == {"seed": 3}
    noise = {"noise": "masking", "amount": 1.0, "seed": 1}
    noisy = outputs(infer(client, "tiny-sdae.denoise", tensor("samples", [SAMPLE]), parameters=noise))
    assert noisy == {"samples": [[[[0, 0], [0, 0]]]], "noisy": [[[[0, 0], [0, 0]]]]}


def test_a_chosen_seed_is_in_the_answer(client: TestClient) -> None:
    first = infer(client, "tiny-vae.generate", parameters={"count": 2})
    seed = first.json()["parameters"]["seed"]
    again = infer(client, "tiny-vae.generate", parameters={"count": 2, "seed": seed})
    assert outputs(again) == outputs(first)


def test_the_count_is_an_input_or_a_parameter(client: TestClient) -> None:
    count = {"name": "count", "shape": [1], "datatype": "INT64", "data": [3]}
    as_input = infer(client, "tiny-vae.generate", count, parameters={"seed": 1})
    as_parameter = infer(client, "tiny-vae.generate", parameters={"seed": 1, "count": 3})
    assert outputs(as_input) == outputs(as_parameter)
    assert len(outputs(as_input)["samples"]) == 3
    assert len(outputs(client.post("/v2/models/tiny-vae.generate/infer", json={}))["samples"]) == 16


def test_a_label_is_a_parameter(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "labelled", labels=("none", "quarter"))
    with TestClient(create_app(Settings(models_dir=tmp_path))) as client:
        latents = tensor("latents", [[1, 0.5]])
        answer = outputs(infer(client, "labelled.decode", latents, parameters={"label": "quarter"}))
        assert answer == {"samples": [[[[0.75, 0.75], [0.5, 0.5]]]]}
        assert infer(client, "labelled.decode", latents).json()["code"] == "invalid-parameter"


COUNTED = {"name": "count", "shape": [1], "datatype": "INT64", "data": [3]}
REFUSED: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("nobody.encode", {}, 404, "unknown-model", "there is no model 'nobody.encode'; there are tiny-ae.encode"),
    ("tiny-ae", {}, 404, "unknown-model", "there is no model 'tiny-ae'"),
    ("tiny-ae.generate", {}, 404, "unknown-model", "there is no model 'tiny-ae.generate'"),
    ("tiny-ae.encode/versions/3", {}, 404, "unknown-version", "has no version '3'; it has 1, 2"),
    ("tiny-ae.encode/versions/01", {}, 404, "unknown-version", "has no version '01'"),
    ("tiny-ae.encode", {}, 422, "invalid-input", "inputs: expected 'samples', got none"),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("latents", [[1]])]},
        422,
        "invalid-input",
        "expected 'samples', got 'latents'",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE]), tensor("b", [[1]])]},
        422,
        "invalid-input",
        "expected 'samples', got 'b'",
    ),
    ("tiny-ae.encode", {"inputs": [tensor("samples", [[1, 2, 3]])]}, 422, "wrong-shape", "got [1, 3]"),
    ("tiny-ae.encode", {"inputs": [tensor("samples", SAMPLE)]}, 422, "wrong-shape", "a single row must still be"),
    ("tiny-ae.encode", {"inputs": [tensor("samples", [[0, 0, 0, 2]])]}, 422, "out-of-range", "from 0 to 1"),
    ("tiny-ae.encode", {"inputs": [tensor("samples", [SAMPLE] * 17)]}, 413, "too-many-rows", "at most 16 rows"),
    ("tiny-table.encode", {"inputs": [tensor("samples", [[1e39, 0, 0, 0]])]}, 422, "not-finite", "finite"),
    ("tiny-ae.interpolate", {"inputs": [tensor("samples", [SAMPLE])]}, 422, "wrong-shape", "expected 2 samples"),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "outputs": [{"name": "samples"}]},
        422,
        "invalid-input",
        "outputs: expected latents, got 'samples'",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"temperature": 2}},
        422,
        "invalid-parameter",
        "request parameter 'temperature'",
    ),
    (
        "tiny-vae.generate",
        {"parameters": {"Temprature": 2}},
        422,
        "invalid-parameter",
        "request parameter 'Temprature': there is no such option; did you mean 'temperature'?",
    ),
    ("tiny-vae.generate", {"parameters": {"x" * 61: 1}}, 422, "invalid-parameter", "at most 32 parameters"),
    ("tiny-vae.generate", {"parameters": {str(n): n for n in range(33)}}, 422, "invalid-parameter", "at most 32"),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"timeout": -1}},
        422,
        "invalid-parameter",
        "timeout: expected a whole number of microseconds",
    ),
    (
        "tiny-ae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"sample": True}},
        422,
        "invalid-parameter",
        "is deterministic",
    ),
    (
        "tiny-vae.encode",
        {"inputs": [tensor("samples", [SAMPLE])], "parameters": {"seed": 1}},
        422,
        "invalid-parameter",
        "",
    ),
    ("tiny-vae.generate", {"parameters": {"count": 0}}, 422, "invalid-parameter", "greater than or equal to 1, got 0"),
    ("tiny-vae.generate", {"parameters": {"count": [1]}}, 422, "invalid-parameter", "request parameter 'count'"),
    ("tiny-vae.generate", {"parameters": {"count": 17}}, 413, "too-many-rows", "at most 16 rows"),
    ("tiny-vae.generate", {"inputs": [COUNTED], "parameters": {"count": 3}}, 422, "invalid-input", "got both"),
    (
        "tiny-vae.generate",
        {"inputs": [COUNTED | {"shape": [1, 1]}]},
        422,
        "wrong-shape",
        "expected shape [1], got [1, 1]",
    ),
    (
        "tiny-vae.generate",
        {"inputs": [COUNTED | {"datatype": "FP32", "data": [2.5]}]},
        422,
        "invalid-parameter",
        "got 2.5",
    ),
    ("tiny-vae.generate", {"inputs": [COUNTED | {"datatype": "BYTES", "data": ["YQ=="]}]}, 422, "not-numbers", "count"),
]


@pytest.mark.parametrize(("model", "body", "status", "code", "detail"), REFUSED)
def test_each_error_has_its_status_code_and_text(
    client: TestClient, model: str, body: dict[str, Any], status: int, code: str, detail: str
) -> None:
    answer = client.post(f"/v2/models/{model}/infer", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert detail in problem["error"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "3.0", "9" * 30, " "])
def test_a_malformed_header_length_is_refused(client: TestClient, length: str) -> None:
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=b"{}", headers={LENGTH: length})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-body")
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_parameters_without_a_meaning_here_are_ignored(client: TestClient) -> None:
    parameters: dict[str, Any] = {
        "sequence_id": 7,
        "sequence_start": True,
        "sequence_end": False,
        "priority": 2,
        "timeout": 2**63,
    }
    parameters |= {"content_type": "np", "trace_id": "t", "triton_enable_empty_final_response": True, "headers": {}}
    answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), parameters=parameters)
    assert outputs(answer) == {"latents": [[1, 0.5]]}


def test_requests_of_both_protocols_share_a_run(tiny_models: Path) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    app, rows = build_app(state), [[n / 4, 0, 0, n / 4] for n in range(4)]
    requests: list[tuple[str, Any]] = [("/v1/models/tiny-ae/encode", {"samples": [row]}) for row in rows]
    requests += [("/v2/models/tiny-ae.encode/infer", {"inputs": [tensor("samples", [row])]}) for row in rows]
    answers = post_together(app, *requests)
    assert [answer.json()["latents"] for answer in answers[:4]] == [[[n / 4, n / 4]] for n in range(4)]
    assert [outputs(answer)["latents"] for answer in answers[4:]] == [[[n / 4, n / 4]] for n in range(4)]
    (statistics,) = get_without_start(app, "/v2/models/tiny-ae.encode/stats").json()["model_stats"]
    assert (statistics["inference_count"], statistics["execution_count"]) == (8, 1)
    state.close()
