"""Parameters and inputs are taken as the clients of other servers write them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.helpers.v2 import SAMPLE, infer, outputs, tensor

LATENTS = [[1.0, 0.5]]
"""The latents of SAMPLE: the sums of its first and of its last two numbers."""
TABLE = {"a": [1, 5], "b": [2, 6], "c": [3, 7], "d": [4, 8]}


@pytest.mark.parametrize("name", ["samples", "Samples", "SAMPLES", "input-0", "input_1", "x", "INPUT__0"])
def test_a_sole_input_may_have_another_name(client: TestClient, name: str) -> None:
    assert outputs(infer(client, "tiny-ae.encode", tensor(name, [SAMPLE])))["latents"] == LATENTS


@pytest.mark.parametrize("model", ["tiny-ae.encode", "Tiny-AE.encode", "TINY-AE.ENCODE"])
@pytest.mark.parametrize("version", ["", "/versions/2", "/versions/latest"])
@pytest.mark.parametrize("end", ["infer", "infer/"])
def test_names_of_models_have_no_case_and_paths_may_end_in_a_slash(
    client: TestClient, model: str, version: str, end: str
) -> None:
    answer = client.post(f"/v2/models/{model}{version}/{end}", json={"inputs": [tensor("samples", [SAMPLE])]})
    assert outputs(answer)["latents"] == LATENTS
    assert answer.json()["model_name"] == "tiny-ae.encode"


@pytest.mark.parametrize("path", ["/v2/", "/v2/models/", "/v2/health/live/", "/v2/models/tiny-ae.encode/ready/"])
def test_every_path_of_v2_may_end_in_a_slash(client: TestClient, path: str) -> None:
    assert client.get(path).json() == client.get(path[:-1]).json()


@pytest.mark.parametrize("shape", [lambda rows: [rows], lambda rows: [rows, 1]])
def test_the_features_of_a_table_may_be_an_input_each(client: TestClient, shape: Any) -> None:
    columns = [
        {"name": name, "shape": shape(2), "datatype": "FP64", "data": numbers} for name, numbers in TABLE.items()
    ]
    whole = outputs(infer(client, "tiny-table.encode", tensor("samples", [[1, 2, 3, 4], [5, 6, 7, 8]])))
    pandas = {"content_type": "pd"}
    for order in (columns, columns[::-1]):
        assert outputs(infer(client, "tiny-table.encode", *order, parameters=pandas)) == whole


@pytest.mark.parametrize(
    ("model", "inputs", "code", "message"),
    [
        ("tiny-ae.encode", [tensor("latents", [SAMPLE])], "invalid-input", "expected 'samples', got 'latents'"),
        ("tiny-ae.decode", [tensor("samples", [[1, 2]])], "invalid-input", "expected 'latents', got 'samples'"),
        (
            "tiny-table.encode",
            [tensor(name, [1]) for name in "abc"],
            "invalid-input",
            "expected 'samples', got 'a, b, c'",
        ),
        (
            "tiny-table.encode",
            [*(tensor(name, [1]) for name in "abc"), tensor("d", [1, 2])],
            "wrong-shape",
            r"d: expected shape \[1, 1\] like the first column, got \[2\]",
        ),
        ("tiny-ae.encode", [tensor(name, [1]) for name in "abcd"], "invalid-input", "got 'a, b, c, d'"),
    ],
)
def test_names_that_mean_something_else_are_refused(
    client: TestClient, model: str, inputs: list[dict[str, Any]], code: str, message: str
) -> None:
    answer = infer(client, model, *inputs)
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert re.search(message, answer.json()["error"])


@pytest.mark.parametrize(
    "parameters",
    [
        {"content_type": "np"},
        {"content_type": "pd", "headers": {"a": "b"}},
        {"trace_id": "t", "priority": 1},
        {"batch_size": 4, "model_version": "2"},
    ],
)
def test_parameters_of_other_servers_are_ignored(client: TestClient, parameters: dict[str, Any]) -> None:
    answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), parameters=parameters)
    assert outputs(answer)["latents"] == LATENTS


@pytest.mark.parametrize(("name", "value"), [("columns", 2), ("scale", 4), ("rows", "objects")])
def test_options_of_pictures_and_objects_are_refused(client: TestClient, name: str, value: object) -> None:
    answer = infer(client, "tiny-vae.generate", parameters={"count": 2, name: value})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameter")
    assert f"'{name}': it has no meaning here" in answer.json()["error"]


@pytest.mark.parametrize(
    ("name", "option"), [("sed", "seed"), ("Temprature", "temperature"), ("counts", "count"), ("time_out", "timeout")]
)
def test_a_misspelt_option_is_not_ignored(client: TestClient, name: str, option: str) -> None:
    answer = infer(client, "tiny-vae.generate", parameters={name: 1})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameter")
    assert f"did you mean {option!r}?" in answer.json()["error"]
