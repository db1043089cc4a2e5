"""The examples of the document work on the served models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.docs.examples import MAX_EXAMPLE_NUMBERS, body_examples, example_model, parameter_examples
from app.api.state import State
from app.inputs import ImageInput, ValueRange
from app.main import build_app, create_app
from app.settings import Settings
from app.tasks import TASKS as TABLE
from tests.helpers import tiny
from tests.helpers.openapi import PREFIXES, TASKS, assert_that_the_examples_work


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    """Get the document of the tiny models."""
    document: dict[str, Any] = client.get("/openapi.json").json()
    return document


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("task", TASKS)
def test_the_examples_of_every_task_work(client: TestClient, document: dict[str, Any], prefix: str, task: str) -> None:
    assert_that_the_examples_work(client, document, f"{prefix}{task}", "post")


@pytest.mark.parametrize("path", ["", "/{model}", "/{model}/versions", "/{model}/versions/{version}"])
def test_the_examples_of_every_manifest_work(client: TestClient, document: dict[str, Any], path: str) -> None:
    assert_that_the_examples_work(client, document, f"/v1/models{path}", "get")


@pytest.mark.parametrize("version", ["", "/versions/{version}"])
def test_the_example_of_inference_works(client: TestClient, document: dict[str, Any], version: str) -> None:
    assert_that_the_examples_work(client, document, f"/v2/models/{{name}}{version}/infer", "post")


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """Load a small and a large model of images."""
    root = tmp_path_factory.mktemp("mirrors")
    for size in (256, 8):
        kind = ImageInput(shape=(3, size, size), value_range=ValueRange(low=0, high=1))
        tiny.write_mirror(root, f"rgb-{size}", kind)
    state = State.load(Settings(models_dir=root))
    yield state
    state.close()


def test_the_examples_use_the_smallest_model(mirrors: State) -> None:
    model = example_model(mirrors.catalog, "reconstruct")
    assert model is not None
    assert parameter_examples(model) == {"model": "rgb-8", "version": 1, "name": "rgb-8.encode"}
    body = body_examples(model, TABLE["reconstruct"])["samples"]["value"]
    assert np.shape(body["samples"]) == (1, 3 * 8 * 8)


def test_the_document_has_the_examples_of_the_smallest_model(mirrors: State) -> None:
    document = TestClient(build_app(mirrors)).get("/openapi.json").json()
    operation = document["paths"]["/v1/models/{model}/reconstruct"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["examples"]["samples"]["value"]
    assert np.shape(body["samples"]) == (1, 3 * 8 * 8)
    assert [p["example"] for p in operation["parameters"] if p["name"] == "model"] == ["rgb-8"]


def test_a_model_with_long_rows_has_no_example_of_a_body(mirrors: State) -> None:
    large = mirrors.catalog.get("rgb-256")
    assert large.manifest.input_size > MAX_EXAMPLE_NUMBERS
    assert body_examples(large, TABLE["reconstruct"]) == {}


def test_a_task_that_no_model_supports_has_no_example(mirrors: State) -> None:
    assert example_model(mirrors.catalog, "denoise") is None
    assert body_examples(None, TABLE["denoise"]) == {}


def test_a_document_of_large_models_is_short(tmp_path: Path) -> None:
    tiny.write_mirror(tmp_path, "rgb-256", ImageInput(shape=(3, 256, 256), value_range=ValueRange(low=0, high=1)))
    with TestClient(create_app(Settings(models_dir=tmp_path))) as client:
        document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/models/{model}/reconstruct"]["post"]["requestBody"]["content"]
    assert "examples" not in content["application/json"]
    assert len(str(document)) < 240_000
