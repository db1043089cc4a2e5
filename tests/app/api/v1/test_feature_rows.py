"""Models of tables take and give rows as objects by feature name."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.inputs import VectorInput
from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.npy import NPY, saved

TABLE = VectorInput(
    shape=(4,), feature_names=("a", "c=x", "c=y", "d"), one_hot={"c": ("x", "y")}, fill=(5.0, 1.0, 0.0, 3.0)
)
ENCODE, RECONSTRUCT = "/v1/models/mixed/encode", "/v1/models/mixed/reconstruct"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of a table with a one-hot column, of a table without names, and of images."""
    models = tmp_path_factory.mktemp("models")
    tiny.write_version(models, name="mixed", kind=TABLE)
    tiny.write_version(models, name="plain", kind=VectorInput(shape=(4,)))
    tiny.write_version(models, name="image")
    with TestClient(create_app(Settings(models_dir=models))) as client:
        yield client


def test_objects_and_arrays_have_the_same_latents(mixed: TestClient) -> None:
    objects = mixed.post(ENCODE, json={"samples": [{"a": 1, "c": "y", "d": 4}, {"d": 2, "c": "x", "a": 0}]})
    assert objects.json()["latents"] == [[1, 5], [1, 2]]  # a + x, y + d
    assert mixed.post(ENCODE, json={"samples": [[1, 0, 1, 4], [0, 1, 0, 2]]}).json() == objects.json()


def test_null_and_nan_are_filled(mixed: TestClient) -> None:
    objects = mixed.post(ENCODE, json={"samples": [{"a": None, "c": None, "d": None}]})
    assert objects.json()["latents"] == [[6, 3]]
    assert mixed.post(ENCODE, json={"samples": [[None, 1, 0, 3]]}).json() == objects.json()
    content = saved(np.array([[np.nan, 1, 0, np.nan]], np.float32))
    assert mixed.post(ENCODE, content=content, headers={"Content-Type": NPY}).json() == objects.json()


def test_answers_are_objects_on_request(mixed: TestClient) -> None:
    body = {"samples": [{"a": 1, "c": "y", "d": 4}]}
    answer = mixed.post(RECONSTRUCT, json=body, params={"rows": "objects"}).json()
    assert answer["samples"] == [{"a": 0.5, "c": "y", "d": 2.5}]  # from [0.5, 0.5, 2.5, 2.5]
    assert len(answer["errors"]) == 1
    assert mixed.post(RECONSTRUCT, json=body).json()["samples"] == [[0.5, 0.5, 2.5, 2.5]]
    generated = mixed.post("/v1/models/mixed/decode", json={"latents": [[4, 2]]}, params={"rows": "objects"})
    assert generated.json()["samples"] == [{"a": 2, "c": "x", "d": 1}]


def test_wrong_objects_are_refused_with_the_reason(mixed: TestClient) -> None:
    unknown = mixed.post(ENCODE, json={"samples": [{"a": 1, "c": "z", "d": 4}]})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "invalid-input")
    assert unknown.json()["detail"] == 'samples[0]: expected "c" to be one of "x", "y", got "z"'
    plain = mixed.post("/v1/models/plain/encode", json={"samples": [{"a": 1}]})
    assert (plain.status_code, plain.json()["code"]) == (422, "not-numbers")


@pytest.mark.parametrize(
    ("path", "accept", "complaint"),
    [
        ("mixed/decode", NPY, "query parameter 'rows': has no meaning for an answer of application/x-npy"),
        ("plain/decode", "*/*", "query parameter 'rows': the features of the model 'plain' have no names"),
        ("image/decode", "*/*", "query parameter 'rows': the features of the model 'image' have no names"),
        ("mixed/encode", "*/*", "query parameter 'rows': there is no such option here"),
    ],
)
def test_objects_that_cannot_be_given_are_refused(mixed: TestClient, path: str, accept: str, complaint: str) -> None:
    response = mixed.post(
        f"/v1/models/{path}", json={"latents": [[1, 1]]}, params={"rows": "objects"}, headers={"Accept": accept}
    )
    assert (response.status_code, response.json()["code"]) == (422, "invalid-parameter")
    assert response.json()["detail"].startswith(complaint)


def test_the_document_has_rows_as_objects(mixed: TestClient) -> None:
    document = mixed.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    kinds = [kind["items"] for kind in schemas["InputSamples"]["anyOf"]]
    assert any(kind["type"] == "object" for kind in kinds)
    parameters = document["paths"]["/v1/models/{model}/decode"]["post"]["parameters"]
    (rows,) = (parameter for parameter in parameters if parameter["name"] == "rows")
    assert rows["schema"]["enum"] == ["arrays", "objects"]
