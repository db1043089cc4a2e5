"""A checked request becomes an answer: images are decoded, and the parameter timeout bounds the time."""

from __future__ import annotations

import asyncio
import base64
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers.images import encoded
from tests.helpers.v2 import SAMPLE, binary_input, framed, infer, outputs, tensor


def images() -> list[bytes]:
    """Return [[0.2, 0.4], [1, 0]] as a PNG, and white as a JPEG."""
    first = encoded(Image.fromarray(np.array([[51, 102], [255, 0]], np.uint8)))
    return [first, encoded(Image.new("L", (9, 7), 255), "JPEG")]


def test_elements_of_bytes_are_images(client: TestClient) -> None:
    blob = b"".join(struct.pack("<I", len(image)) + image for image in images())
    as_bytes = binary_input("samples", [2], len(blob), "BYTES")
    answer = client.post("/v2/models/tiny-ae.encode/infer", **framed({"inputs": [as_bytes]}, blob))
    np.testing.assert_allclose(outputs(answer)["latents"], [[0.6, 1.0], [2.0, 2.0]], atol=1e-6)
    texts = [base64.b64encode(image).decode() for image in images()]
    as_json = {"name": "samples", "shape": [2, 1], "datatype": "BYTES", "data": texts}
    assert outputs(infer(client, "tiny-ae.encode", as_json)) == outputs(answer)
    one = {"name": "samples", "shape": [1], "datatype": "BYTES", "data": texts[:1]}
    np.testing.assert_allclose(outputs(infer(client, "tiny-ae.encode", one))["latents"], [[0.6, 1]], atol=1e-6)


def test_images_are_checked(client: TestClient) -> None:
    def refused(model: str, shape: list[int], *contents: bytes) -> tuple[int, str]:
        texts = [base64.b64encode(content).decode() for content in contents]
        name = "latents" if model.endswith("decode") else "samples"
        answer = infer(client, model, {"name": name, "shape": shape, "datatype": "BYTES", "data": texts})
        return answer.status_code, answer.json()["code"]

    png, jpeg = images()
    assert refused("tiny-ae.encode", [1], b"GIF89a") == (422, "invalid-image")
    assert refused("tiny-ae.encode", [1], png[:40]) == (422, "invalid-image")
    assert refused("tiny-ae.encode", [2], png, jpeg[:-9]) == (422, "invalid-image")
    assert refused("tiny-ae.encode", [1, 2], png, jpeg) == (422, "wrong-shape")
    assert refused("tiny-ae.decode", [1], png) == (422, "not-numbers")
    assert refused("tiny-table.encode", [1], png) == (422, "not-numbers")
    large = encoded(Image.new("L", (80, 80)))
    assert refused("tiny-ae.encode", [1], encoded(Image.new("L", (101, 100)))) == (413, "too-many-pixels")
    # each of these two has fewer than 10 000 pixels, and both together have more
    assert refused("tiny-ae.encode", [2], large, large) == (413, "too-many-pixels")
    assert refused("tiny-ae.encode", [17], *[png] * 17) == (413, "too-many-rows")


def test_a_request_beyond_its_timeout_expires(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Any, samples: Any, label: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr("app.engine.served.ServedModel.encode", never)
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        answer = infer(client, "tiny-ae.encode", tensor("samples", [SAMPLE]), parameters={"timeout": 1000})
    assert (answer.status_code, answer.json()["code"]) == (504, "expired")
    assert "0.001 s" in answer.json()["error"]
