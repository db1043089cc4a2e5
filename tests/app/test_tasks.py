"""The table of tasks: functions on a served model, without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.state import State
from app.arrays import ARRAYS, Samples
from app.engine.queues import QueueName
from app.engine.served import ServedModel
from app.errors import InvalidParameter, TooManyRows
from app.main import create_app
from app.manifest import FAMILY_TASKS, TaskName
from app.options import DecodeOptions, DenoiseOptions, EncodeOptions, GenerateOptions, InterpolateOptions, ScoreOptions
from app.settings import Settings
from app.tasks import (
    TASKS,
    Result,
    Task,
    chosen_seed,
    decode,
    denoise,
    encode,
    generate,
    interpolate,
    reconstruct,
    score,
)
from tests.helpers.arrays import array
from tests.helpers.v1 import SAMPLE

SAMPLES = array([[[[0.25, 0.75], [0.5, 0]]]])
HALVES = array([[[[0.5, 0.5], [0.25, 0.25]]]])


@pytest.fixture
def ae(tiny_state: State) -> ServedModel:
    """Return a deterministic model."""
    return tiny_state.catalog.get("tiny-ae")


@pytest.fixture
def sdae(tiny_state: State) -> ServedModel:
    """Return a denoiser."""
    return tiny_state.catalog.get("tiny-sdae")


@pytest.fixture
def vae(tiny_state: State) -> ServedModel:
    """Return a variational model."""
    return tiny_state.catalog.get("tiny-vae")


def finish(running: Awaitable[Result]) -> Result:
    """Return the result of a task."""

    async def wait() -> Result:
        return await running

    return asyncio.run(wait())


def test_encode_is_seeded_only_if_it_draws(vae: ServedModel) -> None:
    mean = finish(encode(vae, EncodeOptions(), SAMPLES))
    assert (mean.array.tolist(), mean.seed) == ([[1, 0.5]], None)
    drawn = finish(encode(vae, EncodeOptions(sample=True, seed=2), SAMPLES))
    assert drawn.seed == 2
    np.testing.assert_array_equal(drawn.array, vae.autoencoder.posterior(SAMPLES).sample(2))


def test_reconstruct_adds_the_errors(ae: ServedModel) -> None:
    result = finish(reconstruct(ae, TASKS["reconstruct"].options(), SAMPLES))  # type: ignore[arg-type]
    assert result.array.tolist() == HALVES.tolist()
    assert result.extras["errors"].tolist() == [0.0625]


def test_denoise_adds_the_noisy_samples_if_there_is_noise(sdae: ServedModel) -> None:
    plain = finish(denoise(sdae, DenoiseOptions(), SAMPLES))
    assert (plain.array.tolist(), plain.seed, dict(plain.extras)) == (HALVES.tolist(), None, {})
    noisy = finish(denoise(sdae, DenoiseOptions(noise="masking", amount=1, seed=4), SAMPLES))
    assert noisy.seed == 4
    assert not noisy.extras["noisy"].any()
    assert not noisy.array.any()


def test_denoise_has_half_of_the_range_as_its_default_amount(sdae: ServedModel) -> None:
    result = finish(denoise(sdae, DenoiseOptions(noise="gaussian", seed=4), SAMPLES))
    expected = sdae.autoencoder.corrupt(SAMPLES, "gaussian", 0.5, 4)
    np.testing.assert_array_equal(result.extras["noisy"], expected)


def test_generate_names_the_seed_that_repeats_it(vae: ServedModel) -> None:
    first = finish(generate(vae, GenerateOptions(count=2)))
    again = finish(generate(vae, GenerateOptions(count=2, seed=first.seed)))
    np.testing.assert_array_equal(again.array, first.array)


def test_generate_and_interpolate_bound_the_rows_of_the_answer(vae: ServedModel) -> None:
    with pytest.raises(TooManyRows, match="at most 16 rows at once, got 17"):
        finish(generate(vae, GenerateOptions(count=17)))
    ends = np.concatenate([SAMPLES, SAMPLES])
    with pytest.raises(TooManyRows, match="at most 16 rows at once, got 17"):
        finish(interpolate(vae, InterpolateOptions(steps=17), ends))


def test_score_decides_only_at_a_level(ae: ServedModel) -> None:
    plain = finish(score(ae, ScoreOptions(), SAMPLES))
    assert plain.array.tolist() == [0.875]
    assert plain.extras.keys() == {"p_values", "attributions"}
    assert plain.samples is SAMPLES
    decided = finish(score(ae, ScoreOptions(alpha=0.9), SAMPLES))
    assert decided.extras["anomalous"].tolist() == [True]
    assert finish(score(ae, ScoreOptions(fdr=0.8), SAMPLES)).extras["anomalous"].tolist() == [False]
    with pytest.raises(InvalidParameter, match=r"fdr: expected at least 0\.1"):
        finish(score(ae, ScoreOptions(fdr=0.01), SAMPLES))


def test_decode_takes_latents(ae: ServedModel) -> None:
    result = finish(decode(ae, TASKS["decode"].options(), array([[1, 0.5]])))  # type: ignore[arg-type]
    assert result.array.tolist() == HALVES.tolist()


def test_a_chosen_seed_is_kept_and_a_missing_one_is_drawn() -> None:
    assert chosen_seed(0) == 0
    drawn = {chosen_seed(None) for _ in range(20)}
    assert len(drawn) > 10
    assert all(0 <= seed < 2**32 for seed in drawn)


def test_the_table_has_every_task_of_the_manifests() -> None:
    assert list(TASKS) == list(get_args(TaskName))
    assert {task for tasks in FAMILY_TASKS.values() for task in tasks} | {"score"} == set(TASKS)


@pytest.mark.parametrize("name", TASKS)
def test_a_row_of_the_table_names_known_arrays_and_queues(name: str) -> None:
    task = TASKS[name]
    assert {task.gives, *task.extras, *([task.takes] if task.takes else [])} <= set(ARRAYS)
    assert set(task.echoes) <= set(task.extras)
    assert set(task.runs) <= set(get_args(QueueName))
    assert task.options().png_columns is None or task.options is InterpolateOptions


def test_arrays_that_repeat_the_input_are_not_computed() -> None:
    assert TASKS["denoise"].computed == ("samples",)
    assert TASKS["score"].computed == ("scores", "p_values", "attributions", "anomalous")


@pytest.mark.parametrize("name", TASKS)
def test_the_summary_of_a_task_is_an_imperative_of_at_most_five_words(name: str) -> None:
    task = TASKS[name]
    assert task.summary.partition(" ")[0].lower() == name
    assert len(task.summary.split()) <= 5
    assert not task.summary.endswith(".")
    assert task.description.startswith(f"{task.summary}.")


async def mirror(model: ServedModel, options: DecodeOptions, samples: Samples) -> Result:
    """
    Mirror samples.

    Each sample is reconstructed and flipped from left to right.
    """
    reconstruction = await model.reconstruct(samples, options.label)
    return Result(reconstruction.samples[..., ::-1], extras={"errors": reconstruction.errors})


MIRROR = Task(
    mirror,
    DecodeOptions,
    takes="samples",
    gives="samples",
    runs=("reconstruct",),
    extras=("errors",),
    supports=lambda manifest: manifest.input.kind == "image",
)
MIRRORED = [[[[0.5, 0.5], [0.25, 0.25]]]]


@pytest.fixture
def mirror_client(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Return a client of an application whose table has one more row."""
    monkeypatch.setitem(TASKS, "mirror", MIRROR)
    return TestClient(create_app(Settings(models_dir=tiny_models)))


def test_a_new_task_is_a_route_of_v1(mirror_client: TestClient) -> None:
    answer = mirror_client.post("/v1/models/tiny-ae/mirror", json={"samples": [SAMPLE]})
    assert answer.json() == {"model": "tiny-ae", "version": 2, "samples": MIRRORED, "errors": [0.0625]}
    assert mirror_client.post("/v1/models/tiny-ae/versions/1/mirror", json={"samples": [SAMPLE]}).json()["version"] == 1
    refused = mirror_client.post("/v1/models/tiny-table/mirror", json={"samples": [SAMPLE]})
    assert (refused.status_code, refused.json()["code"]) == (404, "unsupported-task")


def test_a_new_task_is_a_model_of_v2_with_statistics(mirror_client: TestClient) -> None:
    assert "tiny-ae.mirror" in mirror_client.get("/v2/models").json()["models"]
    assert "tiny-table.mirror" not in mirror_client.get("/v2/models").json()["models"]
    assert [output["name"] for output in mirror_client.get("/v2/models/tiny-ae.mirror").json()["outputs"]] == [
        "samples",
        "errors",
    ]
    tensor = {"name": "samples", "shape": [1, 4], "datatype": "FP32", "data": SAMPLE}
    answer = mirror_client.post("/v2/models/tiny-ae.mirror/infer", json={"inputs": [tensor]}).json()
    assert answer["outputs"][0]["data"] == np.ravel(MIRRORED).tolist()
    (statistics,) = mirror_client.get("/v2/models/tiny-ae.mirror/stats").json()["model_stats"]
    assert (statistics["inference_count"], statistics["inference_stats"]["success"]["count"]) == (1, 1)
    (decoder,) = mirror_client.get("/v2/models/tiny-ae.decode/stats").json()["model_stats"]
    assert decoder["inference_count"] == 0


def test_a_new_task_is_in_the_document(mirror_client: TestClient) -> None:
    document = mirror_client.get("/openapi.json").json()
    operation = document["paths"]["/v1/models/{model}/mirror"]["post"]
    assert operation["operationId"] == "mirror"
    assert operation["summary"] == "Mirror samples"
    assert "flipped from left to right" in operation["description"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "model",
        "columns",
        "scale",
        "rows",
        "label",
    }
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert set(document["components"]["schemas"][answer.rpartition("/")[2]]["required"]) == {
        "model",
        "version",
        "samples",
        "errors",
    }
    assert "/v1/models/{model}/versions/{version}/mirror" in document["paths"]
