"""The endpoint of a task: results computed by hand, options, errors, and runs that requests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app, create_app
from app.settings import Settings
from tests.helpers.applications import post_together
from tests.helpers.images import encoded
from tests.helpers.npy import NPY, loaded, saved
from tests.helpers.v1 import ACCEPT_PNG, HALVES, SAMPLE


def test_encode(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/encode", json={"samples": [SAMPLE, [1, 1, 1, 1]]})
    assert response.json() == {"model": "tiny-ae", "version": 2, "latents": [[1.0, 0.5], [2.0, 2.0]]}


def test_a_version_can_be_named(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/versions/1/encode", json={"samples": [SAMPLE]})
    assert response.json() == {"model": "tiny-ae", "version": 1, "latents": [[1.0, 0.5]]}


def test_decode(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/decode", json={"latents": [[1, 0.5]]})
    assert response.json() == {"model": "tiny-ae", "version": 2, "samples": [HALVES]}
    response = client.post("/v1/models/tiny-table/decode", json={"latents": [[10, -4]]})
    assert response.json()["samples"] == [[5, 5, -2, -2]]


def test_reconstruct_returns_the_error_of_each_sample(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/reconstruct", json={"samples": [SAMPLE, [1, 1, 0, 0]]})
    assert response.json()["samples"] == [HALVES, [[[1, 1], [0, 0]]]]
    assert response.json()["errors"] == [0.0625, 0]


def test_denoise(client: TestClient) -> None:
    plain = client.post("/v1/models/tiny-sdae/denoise", json={"samples": [SAMPLE]}).json()
    assert plain == {"model": "tiny-sdae", "version": 1, "samples": [HALVES]}


def test_denoise_can_corrupt_first_and_returns_the_noisy_samples(client: TestClient) -> None:
    url = "/v1/models/tiny-sdae/denoise?noise=masking&amount=1&seed=4"
    answer = client.post(url, json={"samples": [SAMPLE]}).json()
    assert answer["noisy"] == [[[[0, 0], [0, 0]]]]
    assert answer["samples"] == [[[[0, 0], [0, 0]]]]
    assert answer["seed"] == 4
    gaussian = "/v1/models/tiny-sdae/denoise?noise=gaussian&amount=0.2&seed=4"
    first, second = (client.post(gaussian, json={"samples": [SAMPLE]}).json() for _ in range(2))
    assert first == second
    a, b, c, d = np.ravel(first["noisy"])
    np.testing.assert_allclose(np.ravel(first["samples"]), np.repeat([(a + b) / 2, (c + d) / 2], 2), rtol=1e-6)


def test_generate_is_seeded_and_prefix_stable(client: TestClient) -> None:
    def generate(**query: Any) -> dict[str, Any]:
        answer: dict[str, Any] = client.post("/v1/models/tiny-vae/generate", params=query).json()
        return answer

    few, many = generate(count=2, seed=9), generate(count=6, seed=9)
    assert many["samples"][:2] == few["samples"]
    assert len(many["samples"]) == 6
    assert generate(count=2, seed=10)["samples"] != few["samples"]
    unseeded = generate(count=2)
    assert generate(count=2, seed=unseeded["seed"])["samples"] == unseeded["samples"]
    assert generate(count=1, seed=1, temperature=0)["samples"] == [[[[0, 0], [0, 0]]]]


def test_encode_draws_from_the_posterior_on_request(client: TestClient) -> None:
    url = "/v1/models/tiny-vae/encode"
    body = {"samples": [SAMPLE]}
    mean = client.post(url, json=body).json()
    assert mean["latents"] == [[1.0, 0.5]]
    assert "seed" not in mean
    drawn = client.post(f"{url}?sample=true&seed=2", json=body).json()
    assert drawn["latents"] != mean["latents"]
    assert client.post(f"{url}?sample=true&seed=2", json=body).json() == drawn
    noise = np.random.default_rng(2).standard_normal((1, 2), dtype=np.float32)
    np.testing.assert_allclose(drawn["latents"], np.array([[1, 0.5]]) + 0.5 * noise, rtol=1e-6)


def test_interpolate(client: TestClient) -> None:
    body = {"samples": [[0, 0, 0, 0], [1, 1, 0, 0]]}
    answer = client.post("/v1/models/tiny-ae/interpolate?steps=3", json=body).json()
    assert np.reshape(answer["samples"], (3, 4)).tolist() == [[0, 0, 0, 0], [0.5, 0.5, 0, 0], [1, 1, 0, 0]]


JSON_BODY = {"json": {"samples": [SAMPLE]}}
ERRORS: list[tuple[str, dict[str, Any], int, str, str]] = [
    ("nobody/encode", JSON_BODY, 404, "unknown-model", "there are tiny-ae, tiny-sdae, tiny-table, tiny-vae"),
    ("tiny-ae/versions/9/encode", JSON_BODY, 404, "unknown-version", "it has 1, 2"),
    ("tiny-ae/versions/0/encode", JSON_BODY, 404, "unknown-version", "has no version 0"),
    ("tiny-ae/versions/x/encode", JSON_BODY, 404, "unknown-version", "has no version x; it has 1, 2"),
    (f"tiny-ae/versions/{'9' * 5000}/encode", JSON_BODY, 404, "unknown-version", "it has 1, 2"),
    ("tiny-ae/generate", {}, 404, "unsupported-task", "models that can: tiny-vae"),
    ("tiny-vae/denoise", JSON_BODY, 404, "unsupported-task", "models that can: tiny-sdae"),
    ("tiny-ae/encode", {}, 400, "malformed-body", "expected JSON"),
    ("tiny-ae/encode", {"json": {"latents": [[1]]}}, 422, "invalid-input", "got 'latents'"),
    ("tiny-ae/encode", {"json": {"samples": []}}, 422, "empty-batch", "at least one row"),
    ("tiny-ae/encode", {"json": {"samples": [[1, 2], [3]]}}, 422, "ragged-rows", "got 1"),
    ("tiny-ae/encode", {"json": {"samples": [[1, 1, 1]]}}, 422, "wrong-shape", "got [1, 3]"),
    ("tiny-ae/encode", {"json": {"samples": [[2, 1, 1, 1]]}}, 422, "out-of-range", "from 0 to 1, got 1.0 to 2.0"),
    ("tiny-ae/encode", {"json": {"samples": [["1", 1, 1, 1]]}}, 422, "not-numbers", "a string at [0, 0]"),
    ("tiny-ae/encode", {"content": b'{"samples":[[NaN,0,0,0]]}'}, 422, "not-finite", "NaN"),
    ("tiny-table/encode", {"json": {"samples": [[1e39, 0, 0, 0]]}}, 422, "not-finite", "at [0, 0]"),
    ("tiny-ae/encode", {"json": {"samples": [SAMPLE] * 17}}, 413, "too-many-rows", "at most 16 rows at once, got 17"),
    ("tiny-vae/generate?count=17", {}, 413, "too-many-rows", "at most 16"),
    ("tiny-ae/interpolate?steps=17", {"json": {"samples": [SAMPLE] * 2}}, 413, "too-many-rows", "at most 16"),
    ("tiny-ae/interpolate", JSON_BODY, 422, "wrong-shape", "expected 2 samples"),
    ("tiny-ae/encode", {"content": b" " * 5000}, 413, "body-too-large", "at most 4096 bytes, got 5000"),
    ("tiny-ae/encode", {"data": {"a": "b"}}, 415, "unsupported-media-type", "x-www-form-urlencoded"),
    ("tiny-ae/decode", {"content": b"", "headers": {"content-type": "image/png"}}, 415, "unsupported-media-type", ""),
    (
        "tiny-table/encode",
        {"content": b"", "headers": {"content-type": "image/png"}},
        415,
        "unsupported-media-type",
        "",
    ),
    ("tiny-ae/encode", {"content": b"x", "headers": {"content-type": "image/png"}}, 422, "invalid-image", "PNG"),
    (
        "tiny-ae/encode",
        {"content": encoded(Image.new("L", (200, 200))), "headers": {"content-type": "image/png"}},
        413,
        "too-many-pixels",
        "got 200x200",
    ),
    ("tiny-ae/encode", {**JSON_BODY, "headers": ACCEPT_PNG}, 406, "not-acceptable", "allows application/json"),
    ("tiny-table/reconstruct", {**JSON_BODY, "headers": ACCEPT_PNG}, 406, "not-acceptable", "application/json"),
    ("tiny-ae/encode?sample=maybe", JSON_BODY, 422, "invalid-parameter", "query parameter 'sample'"),
    (
        "tiny-vae/encode?seed=1",
        JSON_BODY,
        422,
        "invalid-parameter",
        "query parameter 'seed': has no meaning without sample",
    ),
    ("tiny-ae/encode?sample=true", JSON_BODY, 422, "invalid-parameter", "'tiny-ae' is deterministic"),
    ("tiny-table/reconstruct", {"json": {"samples": [[1e25, 0, 0, 0]]}}, 422, "not-finite", "infinite errors"),
    ("tiny-ae/encode", {"json": {"samples": [[1.5, 1, 1, 1]]}}, 422, "out-of-range", "got 1.0 to 1.5"),
    ("tiny-ae/encode/", JSON_BODY, 404, "not-found", "nothing is here"),
    (
        "tiny-sdae/denoise?amount=0.1",
        JSON_BODY,
        422,
        "invalid-parameter",
        "query parameter 'amount': has no meaning without noise",
    ),
    ("tiny-sdae/denoise?noise=pink", JSON_BODY, 422, "invalid-parameter", "'pink'"),
    ("tiny-sdae/denoise?noise=gaussian&amount=nan", JSON_BODY, 422, "invalid-parameter", "finite"),
    (
        "tiny-vae/generate?sed=1",
        {},
        422,
        "invalid-parameter",
        "'sed': there is no such option here; the options are",
    ),
    ("tiny-vae/generate?seed=-1", {}, 422, "invalid-parameter", "greater than or equal to 0"),
    ("tiny-vae/generate?count=0", {}, 422, "invalid-parameter", "greater than or equal to 1"),
    ("tiny-vae/generate?temperature=inf", {}, 422, "invalid-parameter", "temperature"),
    ("tiny-vae/generate", {"json": {"count": 3}}, 422, "invalid-input", "options go into the query"),
    ("tiny-ae/predict", JSON_BODY, 404, "not-found", "POST /v1/models/tiny-ae/predict"),
]


@pytest.mark.parametrize(
    ("path", "request_", "status", "code", "detail"), ERRORS, ids=[f"{e[0][:40]}-{e[3]}" for e in ERRORS]
)
def test_each_error_has_its_status_code_and_text(
    client: TestClient, path: str, request_: dict[str, Any], status: int, code: str, detail: str
) -> None:
    response = client.post(f"/v1/models/{path}", **request_)
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert detail in problem["detail"]
    assert problem["error"] == problem["detail"]
    assert problem["type"] == "about:blank"


def test_a_wrong_option_is_listed(client: TestClient) -> None:
    problem = client.post("/v1/models/tiny-vae/encode?seed=1", **JSON_BODY).json()
    assert [(p["name"], p["in"]) for p in problem["parameters"]] == [("seed", "query")]


@pytest.mark.parametrize(("batching", "runs"), [(True, {8: 1}), (False, {1: 8})])
def test_concurrent_requests_share_a_run(tiny_models: Path, batching: bool, runs: dict[int, int]) -> None:
    state = State.load(Settings(models_dir=tiny_models, batching=batching))
    requests = [("/v1/models/tiny-ae/encode", {"samples": [[n / 8, 0, 0, n / 8]]}) for n in range(8)]
    answers = post_together(build_app(state), *requests)
    assert [answer.json()["latents"] for answer in answers] == [[[n / 8, n / 8]] for n in range(8)]
    totals = state.catalog.get("tiny-ae").runs["mean"].by_rows
    assert {rows: total.count for rows, total in totals.items()} == runs
    state.close()


def test_a_request_larger_than_a_run_is_answered_whole(tiny_models: Path) -> None:
    with TestClient(create_app(Settings(models_dir=tiny_models))) as client:
        samples = np.random.default_rng(0).random((1000, 4), dtype=np.float32)
        answer = loaded(
            client.post(
                "/v1/models/tiny-ae/encode", content=saved(samples), headers={"content-type": NPY, "accept": NPY}
            )
        )
    np.testing.assert_allclose(answer, samples.reshape(-1, 2, 2).sum(axis=2), rtol=1e-6)
