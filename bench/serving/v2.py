"""The loads as requests of the Open Inference Protocol, V2, and the answers to them. It has no images as files."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import orjson

from bench.serving.loads import JSON, Array, Inputs, Load, Request, flat_rows

HEADER_LENGTH = "Inference-Header-Content-Length"
BYTES = {"Content-Type": "application/octet-stream"}


def v2_requests(inputs: Inputs, encoder: str, decoder: str, *, has_binary_data: bool) -> Mapping[Load, Request]:
    """Return requests to two models of a server, with or without the extension for binary data."""
    encode, decode = (f"/v2/models/{name}/infer" for name in (encoder, decoder))
    requests: dict[Load, Request] = {
        "json-1": Request(encode, as_document("samples", inputs.samples[:1]), JSON),
        "json-32": Request(encode, as_document("samples", inputs.samples), JSON),
        "decode-32": Request(decode, as_document("latents", inputs.latents), JSON),
    }
    if has_binary_data:
        header, content = as_binary("samples", inputs.samples)
        requests["binary-32"] = Request(encode, header + content, {**BYTES, HEADER_LENGTH: str(len(header))})
    return requests


def as_document(name: str, rows: Array) -> bytes:
    """Write a request with flat numbers."""
    document = {"inputs": [{**describe(name, rows), "data": rows.reshape(-1)}]}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def as_binary(name: str, rows: Array) -> tuple[bytes, bytes]:
    """Return the JSON document and the bytes after it, of a request that wants its answer as bytes, too."""
    described = {**describe(name, rows), "parameters": {"binary_data_size": rows.nbytes}}
    header = orjson.dumps({"inputs": [described], "parameters": {"binary_data_output": True}})
    return header, rows.astype("<f4").tobytes()


def describe(name: str, rows: Array) -> dict[str, object]:
    """Return the members of a tensor that say what its numbers are."""
    return {"name": name, "shape": rows.shape, "datatype": "FP32"}


def read_v2(load: Load, body: bytes) -> Array:
    """Read the rows of an answer: a list of numbers or, for `binary-32`, the bytes after the JSON document."""
    if load != "binary-32":
        return flat_rows(load, orjson.loads(body)["outputs"][0]["data"])
    document, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
    assert document["outputs"][0]["datatype"] == "FP32"
    return flat_rows(load, np.frombuffer(body, "<f4", offset=end))
