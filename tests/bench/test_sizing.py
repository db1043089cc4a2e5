"""The requests and the models of the table of sizes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

from bench.serving.loads import Request
from bench.sizing import PacedWrk, Size, requests
from bench.sizing_models import IMAGE_LATENTS, TABLE_LATENTS, write_images, write_table

COLOUR = {"name": "photos", "input": {"shape": [3, 64, 64], "value_range": {"low": -1, "high": 1}}}
TABLE = {"name": "people", "input": {"shape": [20]}}


def test_images_are_sent_in_every_format() -> None:
    by_name = dict(requests(COLOUR))
    assert list(by_name) == ["JSON, 1 row", "JSON, 8 rows", "`.npy`, 8 rows", "PNG"]
    assert {request.path for request in by_name.values()} == {"/v1/models/photos/encode"}
    rows = np.load(io.BytesIO(by_name["`.npy`, 8 rows"].body))
    assert rows.shape == (8, 3 * 64 * 64)
    assert -1 <= rows.min() < -0.9
    assert Image.open(io.BytesIO(by_name["PNG"].body)).size == (64, 64)


def test_rows_of_a_table_are_not_images() -> None:
    by_name = dict(requests(TABLE))
    assert list(by_name) == ["JSON, 1 row", "JSON, 32 rows", "`.npy`, 32 rows"]
    assert np.array(json.loads(by_name["JSON, 1 row"].body)["samples"]).shape == (1, 20)


def test_the_models_map_samples_to_latents_and_back(tmp_path: Path) -> None:
    for write, shape, latents in ((write_table, (20,), TABLE_LATENTS), (write_images, (3, 64, 64), IMAGE_LATENTS)):
        write(tmp_path)
        samples = np.random.default_rng(0).random((2, *shape)).astype(np.float32)
        (codes,) = onnxruntime.InferenceSession(tmp_path / "encoder.onnx").run(None, {"samples": samples})
        (decoded,) = onnxruntime.InferenceSession(tmp_path / "decoder.onnx").run(None, {"latents": codes})
        assert codes.shape == (2, latents)
        assert decoded.shape == samples.shape


def test_paced_connections_send_a_rate_together(tmp_path: Path) -> None:
    PacedWrk(Request("/a", b"x"), "http://127.0.0.1:1", 0, tmp_path, rate=1000)
    script = (tmp_path / "request.lua").read_text()
    assert "math.random(0, 64)" in script  # 32 connections, one request each 32 ms on average


def test_a_line_has_its_numbers_in_order() -> None:
    line = Size("a", "PNG", 2, 1234.4, 700.2, 1.25, 9.96, 150.4).markdown()
    assert line == "| `a` | PNG | 2 | 1234 | 700 | 1.2 | 10.0 | 150 |\n"
