"""Versions with a scorer: what their clients get from /v1, /v2, the OpenAPI document and the metrics."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from app.inputs import ImageInput, ValueRange, VectorInput
from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.tiny import LABELS
from tests.helpers.v1 import ACCEPT_PNG, png_pixels
from tests.helpers.v2 import LENGTH, infer, outputs, tensor

COLOURS = VectorInput(
    shape=(4,),
    value_range=ValueRange(low=0, high=1),
    range_origin="found",
    feature_names=("age", "colour=blue", "colour=red", "weight"),
    one_hot={"colour": ("blue", "red")},
    fill=(0.5, 1, 0, 0),
)
RGB = ImageInput(shape=(1, 2, 2), value_range=ValueRange(low=0, high=1), range_origin="found")
ROWS: list[list[float]] = [[1, 1, 1, 1], [0.5, 0, 0, 0], [3, 0, 0, 0]]
JSON_ANSWER = {"scores": [4.0, 0.25, 9.0], "p_values": [0.3, 1.0, 0.1]}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Serve models of images and tables with scorers, one of which is conditional, and a version without a scorer."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "image", 1)
    tiny.write_version(root, "image", 2, scorer=True)
    tiny.write_version(root, "found", kind=RGB, scorer=True)
    tiny.write_version(root, "plain", kind=VectorInput(shape=(4,)), scorer=True)
    tiny.write_version(root, "colours", kind=COLOURS, scorer=True)
    tiny.write_version(root, "classes", kind=tiny.TABLE, labels=LABELS, scorer=True)
    with TestClient(create_app(Settings(models_dir=root))) as client:
        yield client


def score(client: TestClient, model: str, samples: Any, query: str = "", **headers: str) -> httpx.Response:
    """Score samples in JSON."""
    address = f"/v1/models/{model}/score{query}"
    answer: httpx.Response = client.post(address, json={"samples": samples}, headers=headers)
    return answer


def test_samples_get_scores_and_p_values(client: TestClient) -> None:
    assert score(client, "plain", ROWS).json() == {"model": "plain", "version": 1, **JSON_ANSWER}
    assert score(client, "classes", ROWS).json() == {"model": "classes", "version": 1, **JSON_ANSWER}
    assert score(client, "image", ROWS[:1]).json()["version"] == 2


@pytest.mark.parametrize(
    ("query", "verdicts"),
    [
        ("?alpha=0.1", [False, False, True]),
        ("?alpha=0.29", [False, False, True]),
        ("?alpha=0.3", [True, False, True]),
        ("?fdr=0.1", [False, False, False]),  # the smallest of 3 p-values is above 0.1 / 3
        ("?fdr=0.3", [False, False, True]),
        ("?fdr=0.45", [True, False, True]),
    ],
)
def test_a_level_adds_verdicts(client: TestClient, query: str, verdicts: list[bool]) -> None:
    answer = score(client, "plain", ROWS, query).json()
    assert answer == {"model": "plain", "version": 1, **JSON_ANSWER, "anomalous": verdicts}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("?alpha=0.1&fdr=0.1", "query parameter 'fdr': expected alpha or fdr, got both"),
        ("?alpha=0", "query parameter 'alpha': Input should be greater than 0, got '0'"),
        ("?alpha=1", "query parameter 'alpha': Input should be less than 1"),
        ("?fdr=nan", "query parameter 'fdr': Input should be a finite number"),
        ("?alpha=0.05", "alpha: expected at least 0.1, the smallest p-value with 9 calibration rows, got 0.05"),
        ("?fdr=0.05", "fdr: expected at least 0.1, the smallest p-value with 9 calibration rows, got 0.05"),
        ("?threshold=3", "the options are columns, scale, alpha, fdr, attribution, heat"),
    ],
)
def test_levels_that_make_no_sense_are_refused(client: TestClient, query: str, problem: str) -> None:
    answer = score(client, "plain", ROWS, query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameter")
    assert problem in answer.json()["detail"]


def test_attributions_are_nested_as_the_samples_or_named_by_column(client: TestClient) -> None:
    assert score(client, "plain", ROWS[:1], "?attribution=true").json()["attributions"] == [[1, 1, 1, 1]]
    image = score(client, "image", [[0.5, 1, 0, 0]], "?attribution=true").json()
    assert image["attributions"] == [[[[0.25, 1], [0, 0]]]]
    rows = [{"age": 0.5, "colour": "red", "weight": 3}]
    answer = score(client, "colours", rows, "?attribution=true").json()
    assert answer["attributions"] == [{"age": 0.25, "colour": 1.0, "weight": 9.0}]
    assert "attributions" not in score(client, "colours", rows).json()


def test_rows_beyond_the_range_are_scored_as_they_are(client: TestClient) -> None:
    """Compare with encode, which clips such numbers and counts them."""
    far = [{"age": 1e30, "colour": "blue", "weight": 0}, {"age": None, "colour": None, "weight": 7}]
    encoded = client.post("/v1/models/colours/encode", json={"samples": far})
    assert encoded.headers["x-clipped-numbers"] == "2"
    answer = score(client, "colours", far, "?alpha=0.1")
    assert answer.status_code == 200, answer.text
    assert "x-clipped-numbers" not in answer.headers
    assert answer.headers["x-filled-numbers"] == "3"
    assert answer.json()["scores"] == pytest.approx([float(np.finfo(np.float32).max), 50.25])
    assert answer.json()["anomalous"] == [True, True]
    assert score(client, "found", [[7, 0, 0, 0]]).json()["scores"] == [49]
    assert score(client, "image", [[255, 0, 0, 0]]).json()["code"] == "out-of-range"


@pytest.mark.parametrize(
    ("query", "columns"),
    [("", [[4, 0.3], [0.25, 1], [9, 0.1]]), ("?alpha=0.1", [[4, 0.3, 0], [0.25, 1, 0], [9, 0.1, 1]])],
)
def test_an_npy_answer_has_a_column_for_each_number_of_a_row(
    client: TestClient, query: str, columns: list[list[float]]
) -> None:
    answer = score(client, "plain", ROWS, query, accept="application/x-npy")
    array = np.load(io.BytesIO(answer.content))
    assert array.dtype == np.float32
    np.testing.assert_allclose(array, columns, rtol=1e-6)


def test_a_heat_map_is_drawn_over_the_image(client: TestClient) -> None:
    """Give the hottest pixel, whose attribution is 1, the full colour: the others are grey."""
    pixels = png_pixels(
        client.post("/v1/models/image/score?heat=1", json={"samples": [[1, 0, 0, 0]]}, headers=ACCEPT_PNG)
    )
    assert pixels == [[[224, 20, 48], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]  # type: ignore[comparison-overlap]
    grid = png_pixels(score(client, "image", [[0.5] * 4] * 3, "?heat=100&columns=3&scale=2", accept="image/png"))
    assert np.array(grid).shape == (4, 12, 3)
    assert np.unique(grid).tolist() == [100]


def test_tables_have_no_pictures_and_pictures_no_attributions_in_json(client: TestClient) -> None:
    refused = score(client, "plain", ROWS, accept="image/png")
    assert (refused.status_code, refused.json()["supported"]) == (406, ["application/json", "application/x-npy"])
    for accept in ("image/png", "application/x-npy"):
        problem = score(client, "image", ROWS[:1], "?attribution=true", accept=accept).json()
        assert problem["detail"] == f"query parameter 'attribution': has no meaning for an answer of {accept}"


def test_every_format_of_samples_is_taken(client: TestClient) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array(ROWS[:1], np.float32))
    answer = client.post(
        "/v1/models/image/score", content=buffer.getvalue(), headers={"content-type": "application/x-npy"}
    )
    assert answer.json()["scores"] == [4]
    picture = client.post("/v1/models/image/decode", json={"latents": [[2, 2]]}, headers=ACCEPT_PNG).content
    assert client.post("/v1/models/image/score", content=picture).json()["scores"] == [4]
    form = client.post("/v1/models/image/score", files=[("images", picture), ("images", picture)])
    assert form.json()["scores"] == [4, 4]


def test_a_version_without_a_scorer_cannot_score(client: TestClient) -> None:
    answer = client.post("/v1/models/image/versions/1/score", json={"samples": ROWS[:1]})
    assert (answer.status_code, answer.json()["code"]) == (404, "unsupported-task")
    assert "models that can: classes, colours, found, image, plain" in answer.json()["detail"]


def test_the_open_inference_protocol_has_scores_as_tensors(client: TestClient) -> None:
    described = {tensor["name"]: tensor for tensor in client.get("/v2/models/image.score").json()["outputs"]}
    assert {name: (tensor["datatype"], tensor["shape"]) for name, tensor in described.items()} == {
        "score": ("FP32", [-1]),
        "p_value": ("FP32", [-1]),
        "attribution": ("FP32", [-1, 1, 2, 2]),
        "anomalous": ("BOOL", [-1]),
    }
    config = client.get("/v2/models/image.score/config").json()["output"]
    assert config[-1] == {"name": "anomalous", "data_type": "TYPE_BOOL", "dims": []}
    sent = tensor("samples", ROWS)
    answer = outputs(infer(client, "plain.score", sent))
    assert answer == {
        "score": [4, 0.25, 9],
        "p_value": pytest.approx([0.3, 1, 0.1]),
        "attribution": [[number**2 for number in row] for row in ROWS],
    }
    verdicts = infer(client, "plain.score", sent, parameters={"alpha": 0.1}, outputs=[{"name": "anomalous"}])
    assert verdicts.json()["outputs"] == [
        {"name": "anomalous", "shape": [3], "datatype": "BOOL", "data": [False, False, True]}
    ]
    raw = infer(client, "plain.score", sent, parameters={"fdr": 0.3, "binary_data_output": True})
    assert LENGTH in raw.headers
    assert outputs(raw)["anomalous"] == [False, False, True]
    assert outputs(raw)["score"] == [4, 0.25, 9]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"outputs": [{"name": "anomalous"}]}, "outputs: 'anomalous' needs the parameter alpha or fdr"),
        (
            {"outputs": [{"name": "scores"}]},
            "outputs: expected score or p_value or attribution or anomalous, got 'scores'",
        ),
        ({"parameters": {"alpha": 0.1, "fdr": 0.1}}, "request parameter 'fdr': expected alpha or fdr, got both"),
        ({"parameters": {"attribution": True}}, "request parameter 'attribution': it has no meaning here"),
    ],
)
def test_tensors_that_are_not_computed_are_refused(client: TestClient, members: dict[str, Any], problem: str) -> None:
    answer = infer(client, "plain.score", tensor("samples", ROWS), **members)
    assert answer.status_code == 422
    assert problem in answer.json()["error"]


def test_the_description_names_the_scorer(client: TestClient) -> None:
    described = client.get("/v1/models/image").json()
    assert described["scorer"] == tiny.fitted_scorer().model_dump(mode="json")
    assert "score" in described["tasks"]
    assert client.get("/v1/models/image/versions/1").json()["scorer"] is None


def test_the_document_describes_scores(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v1/models/{model}/score"]["post"]
    assert {"image/png", "application/x-npy"} < operation["responses"]["200"]["content"].keys()
    assert "FittedScorer" in document["components"]["schemas"]
    answer = document["components"]["schemas"]["Scores"]
    assert answer["required"] == ["model", "version", "scores", "p_values"]
    assert answer["properties"]["anomalous"]["items"] == {"type": "boolean"}


def test_scores_are_counted_and_their_runs_measured(client: TestClient) -> None:
    score(client, "plain", ROWS)
    text = client.get("/metrics").text
    assert 'hourglass_requests_total{code="200",model="plain",route="/v1/models/{model}/score"}' in text
    infer(client, "plain.score", tensor("samples", ROWS))
    (statistics,) = client.get("/v2/models/plain.score/stats").json()["model_stats"]
    assert statistics["inference_stats"]["success"]["count"] >= 1
    assert statistics["execution_count"] >= 2
