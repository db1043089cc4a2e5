"""Numbers beyond a range that training found are clipped and counted, and missing ones filled and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.inputs import ImageInput, RangeOrigin, ValueRange, VectorInput
from app.main import create_app
from app.settings import Settings
from tests.helpers.npy import loaded, saved
from tests.helpers.tiny import write_version
from tests.helpers.v2 import infer, outputs, tensor

ROWS = np.array([[[0, 1], [2, 3]], [[-1, 1], [9, 3]], [[3, 3], [0, 0]]], np.float32)
"""Three images; the second has two numbers beyond the range from 0 to 3."""
CLIPPED = np.array([[[0, 1], [2, 3]], [[0, 1], [3, 3]], [[3, 3], [0, 0]]], np.float32)
HEADER = "x-clipped-numbers"


def image(origin: RangeOrigin) -> ImageInput:
    """Return images of 2x2 pixels from 0 to 3."""
    return ImageInput(shape=(1, 2, 2), value_range=ValueRange(low=0, high=3), range_origin=origin)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve a model with a found range, and the same with a stated one."""
    models: Path = tmp_path_factory.mktemp("models")
    write_version(models, "found", kind=image("found"))
    write_version(models, "stated", kind=image("stated"))
    write_version(models, "filled", kind=VectorInput(shape=(4,), feature_names=tuple("abcd"), fill=(1, 2, 3, 4)))
    with TestClient(create_app(Settings(models_dir=models))) as client:
        yield client


@pytest.mark.parametrize("task", ["encode", "reconstruct"])
def test_numbers_beyond_a_found_range_are_clipped_and_counted(client: TestClient, task: str) -> None:
    path, headers = f"/v1/models/found/{task}", {"accept": "application/x-npy"}
    beyond = client.post(path, content=saved(ROWS), headers=headers)
    within = client.post(path, content=saved(CLIPPED), headers=headers)
    assert loaded(beyond).tolist() == loaded(within).tolist()
    assert beyond.headers[HEADER] == "2"
    assert HEADER not in within.headers


def test_v2_clips_and_counts_as_v1_does(client: TestClient) -> None:
    beyond, within = (infer(client, "found.encode", tensor("samples", rows.tolist())) for rows in (ROWS, CLIPPED))
    assert outputs(beyond) == outputs(within)
    assert beyond.headers[HEADER] == "2"
    assert HEADER not in within.headers


@pytest.mark.parametrize("task", ["encode", "reconstruct"])
def test_missing_numbers_are_filled_and_counted(client: TestClient, task: str) -> None:
    path, gaps = f"/v1/models/filled/{task}", np.array([[0, np.nan, 7, 8], [np.nan, np.nan, 3, 4]], np.float32)
    whole = client.post(path, json={"samples": [[0, 2, 7, 8], [1, 2, 3, 4]]})
    names = [{"a": 0, "b": None, "c": 7, "d": 8}, {"a": None, "b": None, "c": 3, "d": 4}]
    for answer in (
        client.post(path, json={"samples": [[0, None, 7, 8], [None, None, 3, 4]]}),
        client.post(path, json={"samples": names}),
        client.post(path, content=saved(gaps)),
    ):
        assert answer.json() == whole.json()
        assert answer.headers["x-filled-numbers"] == "3"
    assert "x-filled-numbers" not in whole.headers
    raw = {"name": "samples", "shape": [2, 4], "datatype": "FP32", "parameters": {"binary_data_size": 32}}
    head = json.dumps({"inputs": [raw]}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    answer = client.post(f"/v2/models/filled.{task}/infer", content=head + gaps.tobytes(), headers=headers)
    assert (answer.status_code, answer.headers["x-filled-numbers"]) == (200, "3")


@pytest.mark.parametrize("step", [np.nextafter(np.float32(3), np.float32(4)), np.float32(3e38)])
def test_one_number_beyond_does_not_cost_the_other_rows_their_answers(client: TestClient, step: float) -> None:
    rows = CLIPPED.copy()
    rows[1, 0, 0] = step
    answer = client.post("/v1/models/found/encode", content=saved(rows))
    assert answer.headers[HEADER] == "1"
    assert len(answer.json()["latents"]) == 3


def test_a_number_that_is_not_finite_is_refused_all_the_same(client: TestClient) -> None:
    rows = CLIPPED.copy()
    rows[0, 0, 0] = np.inf
    answer = client.post("/v1/models/found/encode", content=saved(rows))
    assert (answer.status_code, answer.json()["code"]) == (422, "not-finite")


def test_a_stated_range_is_a_law(client: TestClient) -> None:
    for answer in (
        client.post("/v1/models/stated/encode", content=saved(ROWS)),
        infer(client, "stated.encode", tensor("samples", ROWS.tolist())),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "out-of-range")


def test_latents_have_no_range(client: TestClient) -> None:
    latents = client.post("/v1/models/found/encode", content=saved(CLIPPED)).json()["latents"]
    answer = client.post("/v1/models/found/decode", json={"latents": latents})
    assert answer.status_code == 200
    assert HEADER not in answer.headers
