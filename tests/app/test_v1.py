"""The wire: every route of /v1 over tiny models whose answers are known by hand."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from tests.helpers.images import encoded

SAMPLE = [0.25, 0.75, 0.5, 0]
HALVES = [[[0.5, 0.5], [0.25, 0.25]]]
PNG = {"accept": "image/png"}


def grey(pixels: list[list[int]]) -> bytes:
    """A PNG."""
    return encoded(Image.fromarray(np.array(pixels, np.uint8)))


def pixels(response: httpx.Response) -> list[list[int]]:
    """Of a PNG answer."""
    assert response.headers["content-type"] == "image/png", response.text
    return np.asarray(Image.open(io.BytesIO(response.content))).tolist()  # type: ignore[no-any-return]


def test_models_are_listed_with_their_manifests(client: TestClient) -> None:
    models = client.get("/v1/models").json()["models"]
    assert [(m["name"], m["version"]) for m in models] == [
        ("tiny-ae", 2),
        ("tiny-sdae", 1),
        ("tiny-table", 1),
        ("tiny-vae", 1),
    ]
    assert client.get("/v1/models/tiny-ae").json() == models[0]
    assert client.get("/v1/models/tiny-ae/versions/1").json()["version"] == 1
    versions = client.get("/v1/models/tiny-ae/versions").json()["models"]
    assert [m["version"] for m in versions] == [1, 2]
    assert models[2]["input"] == {
        "kind": "vector",
        "shape": [4],
        "value_range": None,
        "feature_names": ["a", "b", "c", "d"],
    }


def test_encode(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/encode", json={"samples": [SAMPLE, [1, 1, 1, 1]]})
    assert response.json() == {"model": "tiny-ae", "version": 2, "latents": [[1.0, 0.5], [2.0, 2.0]]}


def test_pixels_have_nine_decimals_and_other_numbers_the_fewest(client: TestClient) -> None:
    pixels = client.post("/v1/models/tiny-ae/decode", json={"latents": [[1 / 3, 0.5]]}).text
    assert '"samples":[[[[0.166666672,0.166666672],[0.250000000,0.250000000]]]]' in pixels
    numbers = client.post("/v1/models/tiny-table/decode", json={"latents": [[1 / 3, 0.5]]}).text
    assert '"samples":[[0.16666667,0.16666667,0.25,0.25]]' in numbers


def test_a_version_can_be_named(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/versions/1/encode", json={"samples": [SAMPLE]})
    assert response.json() == {"model": "tiny-ae", "version": 1, "latents": [[1.0, 0.5]]}


def test_an_image_is_a_sample(client: TestClient) -> None:
    content = grey([[51, 102], [255, 0]])
    response = client.post("/v1/models/tiny-ae/encode", content=content, headers={"content-type": "image/png"})
    np.testing.assert_allclose(response.json()["latents"], [[0.6, 1.0]], atol=1e-6)


def test_decode(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/decode", json={"latents": [[1, 0.5]]})
    assert response.json() == {"model": "tiny-ae", "version": 2, "samples": [HALVES]}
    response = client.post("/v1/models/tiny-table/decode", json={"latents": [[10, -4]]})
    assert response.json()["samples"] == [[5, 5, -2, -2]]


def test_decode_draws_one_image_or_a_grid(client: TestClient) -> None:
    one = client.post("/v1/models/tiny-ae/decode", json={"latents": [[2, 0.4]]}, headers=PNG)
    assert pixels(one) == [[255, 255], [51, 51]]
    three = client.post("/v1/models/tiny-ae/decode", json={"latents": [[2, 2]] * 3}, headers=PNG)
    assert pixels(three) == [[255] * 4, [255] * 4, [255, 255, 0, 0], [255, 255, 0, 0]]


def test_reconstruct_tells_each_error(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/reconstruct", json={"samples": [SAMPLE, [1, 1, 0, 0]]})
    assert response.json()["samples"] == [HALVES, [[[1, 1], [0, 0]]]]
    assert response.json()["errors"] == [0.0625, 0]


def test_an_image_goes_in_and_comes_out(client: TestClient) -> None:
    headers = {"content-type": "image/png", **PNG}
    response = client.post("/v1/models/tiny-ae/reconstruct", content=grey([[51, 153], [255, 255]]), headers=headers)
    assert pixels(response) == [[102, 102], [255, 255]]


def test_denoise(client: TestClient) -> None:
    plain = client.post("/v1/models/tiny-sdae/denoise", json={"samples": [SAMPLE]}).json()
    assert plain == {"model": "tiny-sdae", "version": 1, "samples": [HALVES]}


def test_denoise_can_corrupt_first_and_shows_what_it_was_given(client: TestClient) -> None:
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
        found: dict[str, Any] = client.post("/v1/models/tiny-vae/generate", params=query).json()
        return found

    few, many = generate(count=2, seed=9), generate(count=6, seed=9)
    assert many["samples"][:2] == few["samples"]
    assert len(many["samples"]) == 6
    assert generate(count=2, seed=10)["samples"] != few["samples"]
    unseeded = generate(count=2)
    assert generate(count=2, seed=unseeded["seed"])["samples"] == unseeded["samples"]
    assert generate(count=1, seed=1, temperature=0)["samples"] == [[[[0, 0], [0, 0]]]]


def test_a_picture_names_its_seed_in_a_header(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-vae/generate?count=4", headers=PNG)
    again = client.post(f"/v1/models/tiny-vae/generate?count=4&seed={response.headers['x-seed']}", headers=PNG)
    assert np.shape(pixels(response)) == (4, 4)
    assert again.content == response.content


def test_encode_draws_from_the_posterior_when_asked(client: TestClient) -> None:
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
    drawn = client.post("/v1/models/tiny-ae/interpolate?steps=3", json=body, headers=PNG)
    assert pixels(drawn) == [[0, 0, 128, 128, 255, 255], [0] * 6]


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
    ("tiny-ae/encode", {**JSON_BODY, "headers": PNG}, 406, "not-acceptable", "allows application/json"),
    ("tiny-table/reconstruct", {**JSON_BODY, "headers": PNG}, 406, "not-acceptable", "application/json"),
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
    ("tiny-vae/generate?sed=1", {}, 422, "invalid-parameter", "query parameter 'sed': Extra inputs"),
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


def test_what_can_be_taken_and_given_is_listed(client: TestClient) -> None:
    taken = client.post("/v1/models/tiny-ae/encode", data={"a": "b"}).json()
    images = ["image/png", "image/jpeg", "image/webp", "multipart/form-data"]
    assert taken["supported"] == ["application/json", "application/x-npy", *images]
    given = client.post("/v1/models/tiny-ae/decode", json={"latents": [[1, 1]]}, headers={"accept": "text/csv"}).json()
    assert given["supported"] == ["application/json", "application/x-npy", "image/png"]


def test_a_chunked_body_is_bounded_too(client: TestClient) -> None:
    response = client.post("/v1/models/tiny-ae/encode", content=(b" " * 1000 for _ in range(6)))
    assert response.json()["code"] == "body-too-large"


def test_the_option_that_is_wrong_is_listed(client: TestClient) -> None:
    problem = client.post("/v1/models/tiny-vae/encode?seed=1", **JSON_BODY).json()
    assert [(p["name"], p["in"]) for p in problem["parameters"]] == [("seed", "query")]


def test_a_client_that_hangs_up_is_no_bug_of_ours(tiny_app: FastAPI) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/models/tiny-ae/encode", "headers": [], "query_string": b""}
    with capture_logs() as lines:
        asyncio.run(tiny_app({**scope, "http_version": "1.1", "scheme": "http"}, receive, send))
    assert lines == []
    assert sent[0]["status"] == 400


def test_other_methods_are_named(client: TestClient) -> None:
    response = client.get("/v1/models/tiny-ae/encode")
    assert (response.status_code, response.json()["code"]) == (405, "method-not-allowed")
    assert response.headers["allow"] == "POST"


def test_probes(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ok"}
    assert client.head("/readyz").status_code == 200
    assert set(client.post("/livez").headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_not_ready_before_the_start(tiny_app: FastAPI) -> None:
    service = tiny_app.state.service
    service.ready, before = False, service.ready

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(tiny_app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/readyz")

    try:
        assert asyncio.run(ask()).status_code == 503
    finally:
        service.ready = before


def test_the_text_of_a_bug_stays_in_the_log(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret text")

    monkeypatch.setattr("app.engine.served.ServedModel.encode", broken)
    with capture_logs() as lines:
        response = client.post("/v1/models/tiny-ae/encode", **JSON_BODY)
    assert (response.status_code, response.json()["code"]) == (500, "internal-error")
    assert "secret" not in response.text
    assert [str(line["exc_info"]) for line in lines] == ["secret text"]
