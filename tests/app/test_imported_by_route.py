"""Imported models of arrays, of windows and with conditional encoders are served in every way that fits them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.__main__ import main
from app.arrays import Rows
from app.main import create_app
from app.settings import Settings
from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SIZE, constant, node, save
from tests.helpers.npy import NPY, loaded, saved
from tests.helpers.openapi import assert_that_the_examples_work
from tests.helpers.v2 import infer, outputs, tensor

VOLUME, WINDOW = (2, 3, 5, 2), (20, 3)
ONE_HOT = np.eye(3, dtype=np.float32)


def write_conditional(path: Path, size: int, out: int) -> None:
    """Write rows W + label U for one-hot labels."""
    nodes = [node("MatMul", "rows w", "a"), node("MatMul", "label u", "b"), node("Add", "a b", "answer")]
    constants = [constant("w", foreign.weights(1, size, out)), constant("u", foreign.weights(2, 3, out))]
    save(path, nodes, [("rows", ["n", size]), ("label", ["n", 3])], [("answer", ["n", out])], constants)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Import a model of volumes, one of windows and a conditional one."""
    folder = tmp_path_factory.mktemp("imported")
    for name, shape in (("volume", VOLUME), ("window", WINDOW)):
        foreign.encoder(folder / f"{name}-e.onnx", shape)
        foreign.linear_decoder(folder / f"{name}-d.onnx", shape)
    write_conditional(folder / "conditional-e.onnx", SIZE, LATENTS)
    write_conditional(folder / "conditional-d.onnx", LATENTS, SIZE)
    for name in ("volume", "window", "conditional"):
        pair = ["--encoder", str(folder / f"{name}-e.onnx"), "--decoder", str(folder / f"{name}-d.onnx")]
        assert main(["import", *pair, "--name", name, "--models-dir", str(folder / "models")]) == 0
    return folder


@pytest.fixture(scope="module")
def client(models: Path) -> Iterator[TestClient]:
    """Serve the models."""
    with TestClient(create_app(Settings(models_dir=models / "models"))) as client:
        yield client


def expected(models: Path, name: str, samples: Rows) -> Rows:
    """Return the latents of the original encoder."""
    latents: Rows = foreign.run(models / f"{name}-e.onnx", samples)[0]
    return latents


@pytest.mark.parametrize(("name", "shape"), [("volume", VOLUME), ("window", WINDOW)])
def test_arrays_are_taken_as_json_and_npy_in_their_own_shape_or_flat(
    client: TestClient, models: Path, name: str, shape: tuple[int, ...]
) -> None:
    samples = foreign.samples(shape, low=-3, high=3)
    latents = expected(models, name, samples)
    path, flat = f"/v1/models/{name}/encode", samples.reshape(8, SIZE)
    for rows in (samples, flat):
        answer = client.post(path, json={"samples": rows.tolist()}).json()["latents"]
        np.testing.assert_allclose(answer, latents, atol=1e-5)
        octets = client.post(path, content=saved(rows), headers={"content-type": NPY, "accept": NPY})
        np.testing.assert_allclose(loaded(octets), latents, atol=1e-5)
        inferred = outputs(infer(client, f"{name}.encode", tensor("samples", rows.tolist())))
        np.testing.assert_allclose(inferred["latents"], latents, atol=1e-5)


def test_reconstructions_have_the_shape_of_the_array(client: TestClient, models: Path) -> None:
    samples = foreign.samples(VOLUME)
    (decoded,) = foreign.run(models / "volume-d.onnx", expected(models, "volume", samples))
    answer = client.post("/v1/models/volume/reconstruct", json={"samples": samples.tolist()}).json()
    np.testing.assert_allclose(answer["samples"], decoded, atol=1e-4)
    assert np.shape(answer["samples"]) == (8, *VOLUME)


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"content": b"\x89PNG\r\n\x1a\n", "headers": {"content-type": "image/png"}}, 415),
    ({"json": {"images": ["data:image/png;base64,AAAA"]}}, 422),
    ({"json": {"samples": [[1, 2, 3]]}}, 422),
    ({"json": {"samples": np.zeros((1, *VOLUME)).tolist()}, "headers": {"accept": "image/png"}}, 406),
]


@pytest.mark.parametrize(("request_", "status"), REFUSED)
def test_arrays_are_no_pictures(client: TestClient, request_: dict[str, Any], status: int) -> None:
    response = client.post("/v1/models/volume/reconstruct", **request_)
    assert response.status_code in (status, 400), response.text


def test_the_document_offers_no_pictures_for_arrays(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    path = "/v1/models/{model}/encode"
    operation = document["paths"][path]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", NPY}
    assert_that_the_examples_work(client, document, path, "post")
    models = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert models["volume"]["input"] == {
        "kind": "array",
        "shape": list(VOLUME),
        "value_range": None,
        "range_origin": "stated",
    }
    assert models["window"]["input"]["window"] == list(WINDOW)


@pytest.mark.parametrize("label", ["0", "1", "2"])
def test_a_conditional_encoder_takes_the_label_of_its_samples(client: TestClient, label: str) -> None:
    samples = foreign.samples((SIZE,))
    shift = {size: ONE_HOT[[int(label)] * 8] @ foreign.weights(2, 3, size) for size in (LATENTS, SIZE)}
    latents = samples @ foreign.weights(1, SIZE, LATENTS) + shift[LATENTS]
    decoded = latents @ foreign.weights(1, LATENTS, SIZE) + shift[SIZE]
    body = {"samples": samples.tolist()}
    encoded = client.post(f"/v1/models/conditional/encode?label={label}", json=body).json()["latents"]
    np.testing.assert_allclose(encoded, latents, atol=1e-4)
    answer = client.post(f"/v1/models/conditional/reconstruct?label={label}", json=body).json()["samples"]
    np.testing.assert_allclose(answer, decoded, atol=1e-4)
    inferred = infer(client, "conditional.encode", tensor("samples", samples.tolist()), parameters={"label": label})
    np.testing.assert_allclose(outputs(inferred)["latents"], latents, atol=1e-4)
    ends = client.post(
        f"/v1/models/conditional/interpolate?steps=2&label={label}", json={"samples": body["samples"][:2]}
    )
    np.testing.assert_allclose(ends.json()["samples"], decoded[:2], atol=1e-4)


def test_a_conditional_encoder_needs_a_label(client: TestClient) -> None:
    response = client.post("/v1/models/conditional/encode", json={"samples": foreign.samples((SIZE,)).tolist()})
    assert (response.status_code, response.json()["code"]) == (422, "invalid-parameter")
    assert "is conditional: expected label to be one of 0, 1, 2" in response.json()["detail"]
