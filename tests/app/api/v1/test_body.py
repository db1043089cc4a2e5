"""Request bodies in each media type become checked rows."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from starlette.testclient import TestClient

from app.api.v1 import body
from app.api.v1.body import check_empty, request_types
from app.errors import InvalidInput
from app.formats.json_body import read_rows
from app.main import create_app
from app.settings import Settings
from tests.helpers.npy import NPY, loaded, saved
from tests.helpers.v1 import SEND_PNG, grey_png

SAMPLES = np.array([[0.25, 0.75, 0.5, 0], [1, 1, 1, 1]], np.float32)
HALVES = np.array([[0.5, 0.5, 0.25, 0.25], [1, 1, 1, 1]], np.float32)
LATENTS = np.array([[1, 0.5], [2, 2]], np.float32)
IMAGES = ("image/png", "image/jpeg", "image/webp", "multipart/form-data")

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
    content = {} if sent is None else {"content": saved(sent)}
    headers = {"accept": NPY} | ({} if sent is None else {"content-type": NPY})
    answer = loaded(client.post(f"/v1/models/{path}", headers=headers, **content))
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, expected)


def test_npy_files_are_checked_like_json(client: TestClient) -> None:
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


def test_an_image_is_a_sample(client: TestClient) -> None:
    content = grey_png([[51, 102], [255, 0]])
    response = client.post("/v1/models/tiny-ae/encode", content=content, headers=SEND_PNG)
    np.testing.assert_allclose(response.json()["latents"], [[0.6, 1.0]], atol=1e-6)


@pytest.mark.parametrize(
    ("takes_images", "name", "types"),
    [
        (True, "samples", ("application/json", NPY, *IMAGES)),
        (True, "latents", ("application/json", NPY)),
        (False, "samples", ("application/json", NPY)),
    ],
)
def test_only_samples_of_image_models_may_be_images(takes_images: bool, name: str, types: tuple[str, ...]) -> None:
    assert request_types(takes_images, name) == types


def test_the_supported_media_types_are_listed(client: TestClient) -> None:
    problem = client.post("/v1/models/tiny-ae/encode", data={"a": "b"}).json()
    assert problem["supported"] == ["application/json", NPY, *IMAGES]


@pytest.mark.parametrize("content", [b"", b" \n", b"{}", b" {} "])
def test_a_task_without_an_input_takes_no_body(content: bytes) -> None:
    check_empty(content)  # does not raise
    with pytest.raises(InvalidInput, match="options go into the query"):
        check_empty(content + b"1")


def test_large_bodies_are_parsed_on_a_thread(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def read(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name.partition("_")[0])
        return read_rows(*arguments)

    monkeypatch.setitem(body.READERS, "application/json", read)
    url = "/v1/models/tiny-ae/encode"
    with TestClient(create_app(Settings(models_dir=tiny_models, max_rows=20_000))) as client:
        client.post(url, json={"samples": [[0.5] * 4]}).raise_for_status()
        assert "formats" not in threads
        threads.clear()
        content = (
            b'{"samples": [[' + b"0.500000000000000000000000000000000000000, 0, 0, 0],[" * 12_000 + b"0, 0, 0, 0]]}"
        )
        assert len(client.post(url, content=content).raise_for_status().json()["latents"]) == 12_001
        assert threads == ["formats"]
