"""The one way in which every task is answered: its formats, its routes, the runs that requests share."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.api import bodies, replies
from app.engine.autoencoder import Autoencoder
from app.formats.json_arrays import read_rows, write_object
from app.main import create_app
from app.settings import Settings
from tests.helpers.npy import NPY, loaded, saved

SAMPLES = np.array([[0.25, 0.75, 0.5, 0], [1, 1, 1, 1]], np.float32)
HALVES = np.array([[0.5, 0.5, 0.25, 0.25], [1, 1, 1, 1]], np.float32)
LATENTS = np.array([[1, 0.5], [2, 2]], np.float32)


ROUTES: list[tuple[str, npt.NDArray[Any] | None, npt.NDArray[Any]]] = [
    ("tiny-ae/encode", SAMPLES, LATENTS),
    ("tiny-ae/versions/1/encode", SAMPLES.reshape(2, 1, 2, 2), LATENTS),
    ("tiny-ae/decode", LATENTS, HALVES.reshape(2, 1, 2, 2)),
    ("tiny-ae/reconstruct", SAMPLES.reshape(2, 2, 2).astype(">f8"), HALVES.reshape(2, 1, 2, 2)),
    ("tiny-sdae/denoise", SAMPLES, HALVES.reshape(2, 1, 2, 2)),
    ("tiny-vae/generate?count=2&temperature=0", None, np.zeros((2, 1, 2, 2), np.float32)),
    ("tiny-ae/interpolate?steps=2", SAMPLES, HALVES.reshape(2, 1, 2, 2)),
    ("tiny-table/decode", LATENTS.astype(np.int64), np.array([[0.5, 0.5, 0, 0], [1, 1, 1, 1]], np.float32)),
]


@pytest.mark.parametrize(("path", "sent", "expected"), ROUTES, ids=[route[0] for route in ROUTES])
def test_every_task_takes_and_gives_npy(client: TestClient, path: str, sent: Any, expected: npt.NDArray[Any]) -> None:
    body = {} if sent is None else {"content": saved(sent)}
    headers = {"accept": NPY} | ({} if sent is None else {"content-type": NPY})
    answer = loaded(client.post(f"/v1/models/{path}", headers=headers, **body))
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, expected)


def test_an_npy_answer_names_its_seed_in_a_header(client: TestClient) -> None:
    url = "/v1/models/tiny-vae/encode?sample=true"
    first = client.post(url, content=saved(SAMPLES), headers={"content-type": NPY, "accept": NPY})
    again = client.post(f"{url}&seed={first.headers['x-seed']}", json={"samples": SAMPLES.tolist()})
    assert loaded(first).tolist() == np.array(again.json()["latents"], np.float32).tolist()


def test_npy_is_checked_as_json_is(client: TestClient) -> None:
    headers = {"content-type": NPY}
    cases = [
        (SAMPLES * 2, "out-of-range"),
        (SAMPLES[:, :3], "wrong-shape"),
        (SAMPLES[:0], "empty-batch"),
        (np.float32(1), "empty-batch"),
        (SAMPLES * np.nan, "not-finite"),
        (np.tile(SAMPLES, (9, 1)), "too-many-rows"),
        (np.full((1, 4), 1e300), "not-finite"),
    ]
    for array, code in cases:
        response = client.post("/v1/models/tiny-ae/encode", content=saved(np.asarray(array)), headers=headers)
        assert response.json()["code"] == code


def test_what_reaches_a_task_through_the_router_is_answered_alike(tiny_models: Path) -> None:
    app = create_app(Settings(models_dir=tiny_models))
    outside = Starlette(routes=[Mount("/hourglass", app)])
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/v1/models/tiny-ae/encode", {"json": {"samples": SAMPLES.tolist()}}),
        ("/v1/models/tiny-ae/versions/1/encode", {"json": {"samples": SAMPLES.tolist()}}),
        ("/v1/models/tiny-ae/versions/7/encode", {"json": {"samples": SAMPLES.tolist()}}),
        ("/v1/models/tiny-ae/encode?what=1", {"json": {"samples": SAMPLES.tolist()}}),
        ("/v1/models/tiny-vae/generate?count=3&seed=1", {}),
        ("/v1/models/nobody/decode", {"json": {"latents": [[1, 1]]}}),
    ]
    with TestClient(app) as direct, TestClient(outside) as mounted:
        for path, body in calls:
            body["headers"] = {"x-request-id": "the-same"}
            short, long = direct.post(path, **body), mounted.post(f"/hourglass{path}", **body)
            assert (short.status_code, short.content) == (long.status_code, long.content)
            for answer in (short, long):
                assert answer.headers.pop("server-timing")
            assert short.headers.items() == long.headers.items()


@pytest.mark.parametrize(("batching", "runs"), [(True, [8]), (False, [1] * 8)])
def test_requests_at_once_share_a_run(
    tiny_models: Path, monkeypatch: pytest.MonkeyPatch, batching: bool, runs: list[int]
) -> None:
    app = create_app(Settings(models_dir=tiny_models, batching=batching))
    counted, run = [], Autoencoder.run_mean

    def counting(self: Autoencoder, samples: Any) -> Any:
        counted.append(len(samples))
        return run(self, samples)

    monkeypatch.setattr(
        app.state.service.model("tiny-ae")._means,
        "_function",
        counting.__get__(app.state.service.model("tiny-ae").model),
    )

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            bodies = [{"samples": [[n / 8, 0, 0, n / 8]]} for n in range(8)]
            return await asyncio.gather(*(client.post("/v1/models/tiny-ae/encode", json=body) for body in bodies))

    answers = asyncio.run(ask())
    assert [answer.json()["latents"] for answer in answers] == [[[n / 8, n / 8]] for n in range(8)]
    assert counted == runs
    app.state.service.close()


def test_a_request_larger_than_a_run_comes_back_whole(tiny_models: Path) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        samples = np.random.default_rng(0).random((1000, 4), dtype=np.float32)
        answer = loaded(
            client.post(
                "/v1/models/tiny-ae/encode", content=saved(samples), headers={"content-type": NPY, "accept": NPY}
            )
        )
    np.testing.assert_allclose(answer, samples.reshape(-1, 2, 2).sum(axis=2), rtol=1e-6)


def test_large_bodies_and_answers_are_handled_on_a_thread(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def noting(function: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            threads.append(threading.current_thread().name.partition("_")[0])
            return function(*arguments)

        return noted

    monkeypatch.setitem(bodies.READERS, "application/json", noting(read_rows))
    monkeypatch.setattr(replies, "write_object", noting(write_object))
    url = "/v1/models/tiny-ae/reconstruct"
    with TestClient(create_app(Settings(models_dir=tiny_models, max_rows=20_000))) as client:
        client.post(url, json={"samples": [[0.5] * 4]}).raise_for_status()
        assert "formats" not in threads
        threads.clear()
        body = b'{"samples": [[' + b"0.500000000000000000000000000000000000000, 0, 0, 0],[" * 12_000 + b"0, 0, 0, 0]]}"
        assert len(client.post(url, content=body).raise_for_status().json()["samples"]) == 12_001
        assert threads == ["formats", "formats"]
