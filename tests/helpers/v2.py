"""Requests and answers of /v2, the Open Inference Protocol."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
from starlette.testclient import TestClient

SAMPLE = [0.25, 0.75, 0.5, 0]
LENGTH = "inference-header-content-length"


def tensor(name: str, rows: Any, **members: Any) -> dict[str, Any]:
    """Return an input as JSON."""
    return {"name": name, "shape": list(np.shape(rows)), "datatype": "FP32", "data": rows, **members}


def infer(client: TestClient, model: str, *inputs: dict[str, Any], **members: Any) -> httpx.Response:
    """Run a model on inputs in JSON."""
    response: httpx.Response = client.post(f"/v2/models/{model}/infer", json={"inputs": list(inputs), **members})
    return response


def outputs(response: httpx.Response) -> dict[str, Any]:
    """Return the outputs of an answer, in JSON or as bytes, as nested lists."""
    assert response.status_code == 200, response.text
    end = int(response.headers[LENGTH]) if LENGTH in response.headers else len(response.content)
    document, at, arrays = json.loads(response.content[:end]), end, {}
    for output in document["outputs"]:
        dtype = {"FP32": "<f4", "BOOL": "?"}[output["datatype"]]
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            numbers = np.array(output["data"], dtype)
        else:
            numbers, at = np.frombuffer(response.content[at : at + size], dtype), at + size
        arrays[output["name"]] = numbers.reshape(output["shape"]).tolist()
    assert at == len(response.content)
    return arrays


def framed(document: dict[str, Any], *blobs: bytes) -> dict[str, Any]:
    """Return the content and the headers of a request whose JSON is followed by bytes."""
    header = json.dumps(document).encode()
    return {"content": header + b"".join(blobs), "headers": {LENGTH: str(len(header))}}


def binary_input(name: str, shape: list[int], size: int, datatype: str = "FP32") -> dict[str, Any]:
    """Return the description of an input whose values follow as bytes."""
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}
