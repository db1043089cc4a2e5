"""Requests of the Open Inference Protocol, and their answers."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from bench.serving.v2 import read_v2, v2_requests
from tests.helpers import bench


def test_numbers_are_flat_in_a_document() -> None:
    requests = v2_requests(bench.inputs(), "encoder", "decoder", has_binary_data=False)
    (tensor,) = orjson.loads(requests["json-1"].body)["inputs"]
    assert (tensor["shape"], tensor["data"]) == ([1, 1, 2, 2], bench.SAMPLES[0].tolist())
    assert requests.keys() == {"json-1", "json-32", "decode-32"}


def test_bytes_follow_the_document_whose_length_is_said() -> None:
    request = v2_requests(bench.inputs(), "encoder", "decoder", has_binary_data=True)["binary-32"]
    length = int(request.headers["Inference-Header-Content-Length"])
    (tensor,) = orjson.loads(request.body[:length])["inputs"]
    content = request.body[length:]
    assert tensor["parameters"] == {"binary_data_size": len(content)}
    assert np.array_equal(np.frombuffer(content, "<f4"), bench.SAMPLES.ravel())


def test_rows_are_read_from_a_document_and_from_bytes() -> None:
    document = orjson.dumps({"outputs": [{"datatype": "FP32", "data": bench.PAIRS.ravel().tolist()}]})
    assert np.array_equal(read_v2("json-32", document), bench.PAIRS)
    head = orjson.dumps({"outputs": [{"datatype": "FP32", "parameters": {"binary_data_size": bench.PAIRS.nbytes}}]})
    assert np.array_equal(read_v2("binary-32", head + bench.PAIRS.tobytes()), bench.PAIRS)


def test_other_numbers_than_float32_are_refused() -> None:
    with pytest.raises(AssertionError):
        read_v2("binary-32", orjson.dumps({"outputs": [{"datatype": "FP64"}]}) + bench.PAIRS.astype("<f8").tobytes())
