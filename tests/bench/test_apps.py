"""The two applications answer each load, and the answers are read, over a model that can be calculated by hand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import httpx
import numpy as np
import pytest
from PIL import Image

from bench.serving import checks
from bench.serving.apps import floor, written
from bench.serving.contender import Array, Inputs, Load
from bench.serving.contenders import app_requests, hourglass, read, rows_as_npy
from bench.serving.questions import ROWS_OF

SAMPLES = np.tile(np.array([[0.25, 0.75, 0.5, 0.0]], np.float32), (32, 1)) * np.arange(1, 33, dtype=np.float32)[:, None]
SAMPLES /= np.float32(32)
LATENTS = np.stack([np.linspace(0, 2, 32), np.linspace(2, 0, 32)], 1).astype(np.float32)
PIXELS = np.array([[0, 255], [51, 102]], np.uint8)


def png() -> bytes:
    """A grey image of two rows."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    return file.getvalue()


INPUTS = Inputs(samples=SAMPLES.reshape(32, 1, 2, 2), latents=LATENTS, png=png())
PAIRS = np.stack([SAMPLES[:, 0] + SAMPLES[:, 1], SAMPLES[:, 2] + SAMPLES[:, 3]], 1)
ANSWERS: dict[Load, Array] = {
    "json-1": PAIRS[:1],
    "json-32": PAIRS,
    "binary-32": PAIRS,
    "png": np.array([[1.0, 0.6]], np.float32),
    "decode-32": np.repeat(LATENTS / 2, 2, axis=1),
}


def asked(app: Any, load: Load) -> httpx.Response:
    """The answer of an application to a load."""
    request = app_requests(INPUTS)[load]

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as client:
            return await client.post(request.path, content=request.body, headers=dict(request.headers))

    return asyncio.run(ask())


@pytest.mark.parametrize("load", get_args(Load))
@pytest.mark.parametrize("create", [floor.create, written.create])
@pytest.mark.parametrize("typed", ["0", "1"])
def test_each_load_is_answered(
    create: Callable[[], Any], load: Load, typed: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_FOLDER", str(folder))
    monkeypatch.setenv("BENCH_TYPED", typed)
    answer = asked(create(), load)
    assert answer.status_code == 200, answer.text
    rows = read(load, answer.content)
    assert rows.shape[0] == ROWS_OF[load]
    np.testing.assert_allclose(rows, ANSWERS[load], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 2), (32, 32), (7, 1000), (123_456, 784)])
def test_the_floors_header_is_numpys(shape: tuple[int, int]) -> None:
    array = np.zeros(shape, np.float32) if shape[0] < 100 else np.broadcast_to(np.float32(0), shape)
    header = floor.npy_header(shape)
    assert len(header) % 64 == 0
    version = np.lib.format.read_magic(io.BytesIO(header))
    file = io.BytesIO(header)
    file.seek(8)
    assert version == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == (array.shape, False, np.dtype("<f4"))


def test_our_own_requests_name_the_model() -> None:
    requests = hourglass("bench-dense").requests(INPUTS)
    assert requests.keys() == set(get_args(Load))
    assert requests["png"].path == "/v1/models/bench-dense/encode"
    assert requests["decode-32"].path == "/v1/models/bench-dense/decode"
    assert requests["binary-32"].headers == {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}


def test_npy_is_what_numpy_reads() -> None:
    assert np.array_equal(np.load(io.BytesIO(rows_as_npy(PAIRS))), PAIRS)


def test_wrong_answers_are_told_from_right_ones() -> None:
    checks.compare(PAIRS * np.float32(1.0005), PAIRS)
    with pytest.raises(checks.WrongAnswer, match=r"shape \(1, 2\), expected \(32, 2\)"):
        checks.compare(PAIRS[:1], PAIRS)
    with pytest.raises(checks.WrongAnswer, match=r"differs from onnxruntime by 0\.5"):
        checks.compare(PAIRS + np.float32(0.5), PAIRS)
    with pytest.raises(checks.WrongAnswer):
        checks.compare(PAIRS * np.float32("nan"), PAIRS)
