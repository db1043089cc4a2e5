"""Results become tensors, in JSON or as bytes after it."""

from __future__ import annotations

import gzip
import json
import struct
import zlib

import pytest
from starlette.testclient import TestClient

from app.api.v2.reply import answer_encoding
from tests.helpers.v2 import LENGTH, SAMPLE, binary_input, framed, infer, outputs, tensor


def test_an_answer_names_the_model_and_repeats_the_id(client: TestClient) -> None:
    answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), id="seven")
    assert answer.headers["content-type"] == "application/json"
    assert LENGTH not in answer.headers
    assert answer.json() == {
        "model_name": "tiny-ae.encode",
        "model_version": "2",
        "id": "seven",
        "outputs": [{"name": "latents", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 0.5]}],
    }
    assert "id" not in infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE])).json()
    assert infer(client, "tiny-ae.encode/versions/1", tensor("samples", [SAMPLE])).json()["model_version"] == "1"
    assert infer(client, "tiny-ae.encode/versions/latest", tensor("samples", [SAMPLE])).json()["model_version"] == "2"


def test_outputs_are_bytes_if_the_request_asks_for_bytes(client: TestClient) -> None:
    described = binary_input("samples", [1, 4], 16)
    document = {"inputs": [described], "parameters": {"binary_data_output": True}}
    answer = client.post("/v2/models/tiny-ae.reconstruct/infer", **framed(document, struct.pack("<4f", *SAMPLE)))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content.endswith(struct.pack("<4f", 0.5, 0.5, 0.25, 0.25) + struct.pack("<f", 0.0625))
    assert outputs(answer) == {"samples": [[[[0.5, 0.5], [0.25, 0.25]]]], "errors": [0.0625]}


def test_outputs_have_the_requested_order_and_format(client: TestClient) -> None:
    wanted = [{"name": "errors", "parameters": {"binary_data": True}}, {"name": "samples"}]
    answer = infer(client, "tiny-ae.reconstruct", tensor("samples", [SAMPLE]), outputs=wanted)
    assert list(outputs(answer)) == ["errors", "samples"]
    first, second = json.loads(answer.content[: int(answer.headers[LENGTH])])["outputs"]
    assert first["parameters"] == {"binary_data_size": 4}
    assert second["data"] == [0.5, 0.5, 0.25, 0.25]
    single = infer(client, "tiny-ae.reconstruct", tensor("samples", [SAMPLE]), outputs=[{"name": "errors"}])
    assert outputs(single) == {"errors": [0.0625]}


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_bodies_and_answers_may_be_compressed(client: TestClient, encoding: str) -> None:
    described = binary_input("samples", [1, 4], 16)
    document = {"inputs": [described], "parameters": {"binary_data_output": True}, "padding": "-" * 900}
    sent = framed(document, struct.pack("<4f", *SAMPLE))
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    headers = {**sent["headers"], "content-encoding": encoding, "accept-encoding": encoding}
    url = "/v2/models/tiny-ae.encode/infer"
    packed = pack(sent["content"])
    assert len(packed) < int(sent["headers"][LENGTH])  # it counts the bytes before compression
    answer = client.post(url, content=packed, headers=headers)
    assert answer.headers["content-encoding"] == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert outputs(answer) == {"latents": [[1, 0.5]]}  # httpx has decompressed it


@pytest.mark.parametrize("accepted", ["gzip, deflate", "gzip, deflate, br", "br", "identity", "*", "gzip;q=0", ""])
def test_other_answers_are_not_compressed(client: TestClient, accepted: str) -> None:
    content = json.dumps({"inputs": [tensor("samples", [SAMPLE])]})
    headers = {"accept-encoding": accepted}
    answer = client.post("/v2/models/tiny-ae.encode/infer", content=content, headers=headers)
    assert "content-encoding" not in answer.headers
    for path in ("/v2", "/v2/models/tiny-ae.encode", "/v2/models/stats"):
        assert "content-encoding" not in client.get(path, headers={"accept-encoding": "gzip"}).headers


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [(b"gzip", "gzip"), (b" Deflate ", "deflate"), (b"gzip, deflate", None), (b"br", None), (b"", None)],
)
def test_an_encoding_is_chosen_only_if_the_client_accepts_no_other(accepted: bytes, encoding: str | None) -> None:
    assert answer_encoding({b"accept-encoding": accepted}) == encoding
    assert answer_encoding({}) is None
