"""Conditional models: their decoder is told a label, by name over HTTP, by number inside. Values by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from starlette.testclient import TestClient

from app.engine.autoencoder import CHUNK, Autoencoder
from app.engine.repository import load_version
from app.errors import InvalidModel, InvalidParameter
from app.main import create_app
from app.manifest import DECODER, GOLDEN
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.openapi import PREFIXES, assert_that_the_examples_work
from tests.helpers.openapi import TASKS as ROUTES

Array = npt.NDArray[np.float32]

LABELS = ("low", "middle & up", "high")
SAMPLE = [0.25, 0.75, 0.5, 0]
NEEDED = "the model 'table' is conditional: expected label to be one of low, middle & up, high"


def array(values: object) -> Array:
    """float32."""
    return np.array(values, np.float32)


@pytest.fixture(scope="module")
def conditional_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository where every model has labels but for one table."""
    root = tmp_path_factory.mktemp("conditional")
    tiny.write_version(root, "table", kind=tiny.TABLE, labels=LABELS)
    tiny.write_version(root, "sdae", family="denoising-autoencoder", labels=LABELS)
    tiny.write_version(root, "vae", family="variational-autoencoder", kind=tiny.TABLE, labels=LABELS)
    tiny.write_version(root, "plain", kind=tiny.TABLE)
    return root


@pytest.fixture(scope="module")
def client(conditional_models: Path) -> Iterator[TestClient]:
    """A client of an application over that repository."""
    with TestClient(create_app(Settings(models_dir=conditional_models)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def table(conditional_models: Path) -> Autoencoder:
    """Conditional, of vectors without a range."""
    return load_version(conditional_models / "table" / "1", "table", 1)


@pytest.fixture(scope="module")
def vae(conditional_models: Path) -> Autoencoder:
    """Conditional and variational."""
    return load_version(conditional_models / "vae" / "1", "vae", 1)


def test_each_label_gives_its_own_samples(table: Autoencoder) -> None:
    latents = array([[1, 0.5], [8, 2]])
    assert table.decode(latents, "low").tolist() == [[0.5, 0.5, 0.25, 0.25], [4, 4, 1, 1]]
    assert table.decode(latents, "high").tolist() == [[1, 1, 0.75, 0.75], [4.5, 4.5, 1.5, 1.5]]


def test_a_reconstruction_and_its_error_are_those_of_the_label(table: Autoencoder) -> None:
    result = table.reconstruct(array([[1, 1, 0, 0]]), "middle & up")
    assert result.samples.tolist() == [[1.25, 1.25, 0.25, 0.25]]
    assert result.errors.tolist() == [0.0625]


def test_an_interpolation_has_one_label_all_along(table: Autoencoder) -> None:
    along = table.interpolate(array([[0, 0, 0, 0], [1, 1, 0, 0]]), 3, "high")
    assert along.tolist() == [[0.5] * 4, [1, 1, 0.5, 0.5], [1.5, 1.5, 0.5, 0.5]]


def test_a_denoiser_takes_a_label(conditional_models: Path) -> None:
    model = load_version(conditional_models / "sdae" / "1", "sdae", 1)
    assert model.denoise(array([SAMPLE]), "middle & up").ravel().tolist() == [0.75, 0.75, 0.5, 0.5]


def test_a_seed_draws_the_same_latents_under_every_label(vae: Autoencoder) -> None:
    low, high = vae.generate(5, seed=3, label="low"), vae.generate(5, seed=3, label="high")
    halves = np.repeat(vae.draw_latents(5, seed=3) / 2, 2, axis=1)
    np.testing.assert_allclose(low, halves, rtol=1e-6)
    np.testing.assert_allclose(high, halves + 0.5, rtol=1e-6)
    np.testing.assert_allclose(vae.generate(2, seed=3, label="high"), high[:2], rtol=1e-6)


def test_rows_may_differ_in_their_labels_across_chunks(table: Autoencoder) -> None:
    rows = 2 * CHUNK + 3
    latents = np.stack([np.arange(rows), np.zeros(rows)], axis=1).astype(np.float32)
    labels = np.where(np.arange(rows) % 5 == 0, 2, 1)
    samples = table.decode_rows(latents, labels)
    np.testing.assert_array_equal(samples[:, 0], np.arange(rows) / 2 + labels / 4)
    np.testing.assert_array_equal(samples[:, 3], labels / 4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "has 3 labels: expected one label a row, got none"),
        (np.array([0]), "expected 2 integers, got int64 of shape [1]"),
        (np.array([0.0, 1.0]), "expected 2 integers, got float64 of shape [2]"),
        (np.array([0, 3]), "expected 0 to 2, got 0 to 3"),
        (np.array([-1, 2]), "expected 0 to 2, got -1 to 2"),
    ],
)
def test_wrong_numbers_of_labels_are_named(table: Autoencoder, labels: Any, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        table.decode_rows(np.zeros((2, 2), np.float32), labels)
    assert message in caught.value.detail


def test_numbers_of_labels_are_refused_without_labels(conditional_models: Path) -> None:
    plain = load_version(conditional_models / "plain" / "1", "plain", 1)
    with pytest.raises(InvalidParameter, match="'plain' has 0 labels: expected no labels, got some"):
        plain.decode_rows(np.zeros((1, 2), np.float32), np.array([0]))


def test_a_long_list_of_labels_is_shortened(tmp_path: Path) -> None:
    labels = tuple(f"kind{number}" for number in range(300))
    model = load_version(tiny.write_version(tmp_path, kind=tiny.TABLE, labels=labels), "tiny", 1)
    with pytest.raises(InvalidParameter, match=r"one of kind0, kind1, .*, kind19, … \(300 in all\), got 'x{40,60}$"):
        model.decode(np.zeros((1, 2), np.float32), "x" * 5000)


@pytest.mark.parametrize(
    ("labels", "conditional", "reason"),
    [
        (LABELS, False, r"expected the inputs latents float \[2\], labels int64 \[\] for each row, found latents"),
        ((), True, r"expected the inputs latents float \[2\] for each row, found latents float \[2\], labels int64"),
    ],
)
def test_a_decoder_that_does_not_fit_the_manifests_labels_is_refused(
    tmp_path: Path, labels: tuple[str, ...], conditional: bool, reason: str
) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=labels)
    onnx.save(tiny.decoder_graph((4,), clip=False, conditional=conditional), folder / DECODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", tiny.TABLE, labels)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("dtype", "shape", "reason"),
    [
        (onnx.TensorProto.INT32, ["batch"], r"found latents float \[2\], labels int32 \[\]"),
        (onnx.TensorProto.INT64, ["batch", 1], r"found latents float \[2\], labels int64 \[1\]"),
        (onnx.TensorProto.INT64, [3], "labels must have a symbolic batch axis"),
        (onnx.TensorProto.INT64, [], "labels must have a symbolic batch axis"),
    ],
)
def test_labels_are_int64_one_a_row(tmp_path: Path, dtype: int, shape: list[str | int], reason: str) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=LABELS)
    model = onnx.load(folder / DECODER)
    model.graph.input[1].CopyFrom(onnx.helper.make_tensor_value_info("labels", dtype, shape))
    onnx.save(model, folder / DECODER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", tiny.TABLE, LABELS)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.array([0, 0, 2]), "reconstructions differ from those that were stored"),
        (np.array([0, 0, 3]), "expected 0 to 2, got 0 to 3"),
        (None, "golden.npz lacks labels"),
    ],
)
def test_golden_samples_are_decoded_under_their_labels(
    tmp_path: Path, labels: npt.NDArray[np.int64] | None, reason: str
) -> None:
    folder = tiny.write_version(tmp_path, kind=tiny.TABLE, labels=LABELS)
    with np.load(folder / GOLDEN) as archive:
        arrays = {name: archive[name] for name in archive.files if name != "labels"}
    np.savez(folder / GOLDEN, allow_pickle=False, **arrays, **({} if labels is None else {"labels": labels}))
    tiny.write_manifest(folder, "tiny", 1, "autoencoder", tiny.TABLE, LABELS)
    with pytest.raises(InvalidModel, match=reason):
        load_version(folder, "tiny", 1)


TASKS: list[tuple[str, dict[str, Any], list[list[float]]]] = [
    ("table/decode", {"latents": [[1, 0.5]]}, [[0.75, 0.75, 0.5, 0.5]]),
    ("table/reconstruct", {"samples": [SAMPLE]}, [[0.75, 0.75, 0.5, 0.5]]),
    ("table/interpolate?steps=2", {"samples": [SAMPLE, [1, 1, 1, 1]]}, [[0.75, 0.75, 0.5, 0.5], [1.25] * 4]),
    ("sdae/denoise", {"samples": [SAMPLE]}, [[0.75, 0.75, 0.5, 0.5]]),
    ("sdae/denoise?noise=masking&amount=1", {"samples": [SAMPLE]}, [[0.25] * 4]),
]


@pytest.mark.parametrize("version", ["", "/versions/1"])
@pytest.mark.parametrize(("path", "body", "samples"), TASKS, ids=[task[0] for task in TASKS])
def test_the_label_is_an_option_of_every_route_that_decodes(
    client: TestClient, version: str, path: str, body: dict[str, Any], samples: list[list[float]]
) -> None:
    url = f"/v1/models/{path.replace('/', version + '/', 1)}"
    response = client.post(f"{url}{'&' if '?' in url else '?'}label=middle%20%26%20up", json=body)
    assert response.status_code == 200, response.text
    assert np.reshape(response.json()["samples"], (-1, 4)).tolist() == samples
    refused = client.post(url, json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-parameter")
    assert "is conditional: expected label to be one of low, middle & up, high" in refused.json()["detail"]


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_generate_takes_a_label(client: TestClient, version: str) -> None:
    url = f"/v1/models/vae{version}/generate"
    low, high = (client.post(url, params={"seed": 3, "count": 2, "label": label}).json() for label in ("low", "high"))
    np.testing.assert_allclose(np.array(high["samples"]) - np.array(low["samples"]), 0.5, atol=1e-6)
    assert high.keys() == {"model", "version", "seed", "samples"}
    assert NEEDED.replace("table", "vae") == client.post(url).json()["detail"]


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("table/decode", NEEDED),
        ("table/decode?label=", f"{NEEDED}, got ''"),
        ("table/decode?label=Low", f"{NEEDED}, got 'Low'"),
        ("table/decode?label=0", f"{NEEDED}, got '0'"),
        ("plain/decode?label=low", "the model 'plain' is not conditional: expected no label, got 'low'"),
        ("plain/decode?label=", "the model 'plain' is not conditional: expected no label, got ''"),
        ("plain/decode?labels=low", "query parameter 'labels': Extra inputs are not permitted, got 'low'"),
    ],
)
def test_a_label_that_does_not_fit_is_a_problem(client: TestClient, path: str, detail: str) -> None:
    response = client.post(f"/v1/models/{path}", json={"latents": [[1, 0.5]]})
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (422, 422, "invalid-parameter")
    assert problem["detail"] == detail


def test_encoding_takes_no_label(client: TestClient) -> None:
    body = {"samples": [SAMPLE]}
    assert client.post("/v1/models/table/encode", json=body).json()["latents"] == [[1, 0.5]]
    assert client.post("/v1/models/table/encode?label=low", json=body).json()["code"] == "invalid-parameter"


def test_the_manifest_lists_the_labels(client: TestClient) -> None:
    assert client.get("/v1/models/table").json()["labels"] == list(LABELS)
    assert client.get("/v1/models/plain").json()["labels"] == []


def test_the_examples_of_conditional_models_hold_a_label(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    parameters = document["paths"]["/v1/models/{model}/generate"]["post"]["parameters"]
    label = next(parameter for parameter in parameters if parameter["name"] == "label")
    assert label["example"] == "low"
    assert not label["required"]
    assert "`labels`" in label["description"]
    for prefix, task in itertools.product(PREFIXES, ROUTES):
        assert_that_the_examples_work(client, document, f"{prefix}{task}", "post")
