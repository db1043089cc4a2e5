"""The applications `floor` and `written` answer each load correctly, over a model that is calculated by hand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from bench.serving.apps import floor, written
from bench.serving.loads import LOADS, Load, read_rows
from bench.serving.servers import app_requests
from tests.helpers import bench, tiny


def post(app: Any, load: Load) -> httpx.Response:
    """Send the request of a load to an application."""
    request = app_requests(bench.inputs())[load]

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as client:
            return await client.post(request.path, content=request.body, headers=dict(request.headers))

    return asyncio.run(send())


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("create", [floor.create, written.create])
@pytest.mark.parametrize("typed", ["0", "1"])
def test_each_load_gets_the_correct_rows(
    create: Callable[[], Any], load: Load, typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_FOLDER", str(tiny.write_version(tmp_path)))
    monkeypatch.setenv("BENCH_TYPED", typed)
    answer = post(create(), load)
    assert answer.status_code == 200, answer.text
    np.testing.assert_allclose(read_rows(load, answer.content), bench.ANSWERS[load], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 2), (32, 32), (7, 1000), (123_456, 784)])
def test_numpy_reads_the_header_of_the_floor(shape: tuple[int, int]) -> None:
    header = floor.npy_header(shape)
    assert len(header) % 64 == 0
    file = io.BytesIO(header)
    assert np.lib.format.read_magic(file) == (1, 0)
    assert np.lib.format.read_array_header_1_0(file) == (shape, False, np.dtype("<f4"))
