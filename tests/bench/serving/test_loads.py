"""Bodies that any server can read, and answers that are readable or rejected."""

from __future__ import annotations

import io

import numpy as np
import orjson
import pytest

from bench.serving.loads import (
    LOADS,
    ROW_COUNTS,
    Request,
    WrongAnswer,
    ask,
    flat_rows,
    json_requests,
    read_rows,
    rows_as_npy,
)
from tests.helpers import bench


def test_every_load_has_a_row_count() -> None:
    assert ROW_COUNTS.keys() == set(LOADS)
    assert {load: len(rows) for load, rows in bench.ANSWERS.items()} == ROW_COUNTS


def test_numpy_reads_a_body_of_npy() -> None:
    assert np.array_equal(np.load(io.BytesIO(rows_as_npy(bench.PAIRS))), bench.PAIRS)


def test_json_bodies_hold_flat_rows() -> None:
    requests = json_requests(bench.inputs(), "/e", "/d")
    assert orjson.loads(requests["json-1"].body) == {"samples": [bench.SAMPLES[0].tolist()]}
    latents = orjson.loads(requests["decode-32"].body)["latents"]
    assert np.array_equal(np.array(latents, np.float32), bench.LATENTS)
    assert [requests[load].path for load in ("json-1", "json-32", "decode-32")] == ["/e", "/e", "/d"]


def test_answers_are_read_as_flat_rows() -> None:
    assert np.array_equal(read_rows("binary-32", rows_as_npy(bench.PAIRS)), bench.PAIRS)
    assert np.array_equal(read_rows("json-1", b'{"latents": [[1, 2]]}'), [[1, 2]])
    assert read_rows("decode-32", orjson.dumps({"samples": np.zeros((32, 1, 2, 2)).tolist()})).shape == (32, 4)


def test_an_answer_with_a_wrong_row_count_is_rejected() -> None:
    with pytest.raises(ValueError, match="cannot reshape"):
        flat_rows("json-32", [[1, 2], [3, 4]])


def test_a_server_that_does_not_listen_gives_no_answer() -> None:
    with pytest.raises(WrongAnswer, match="no answer: ConnectError"):
        ask("http://127.0.0.1:1", Request("/", b""))
