"""The JSON answers of tasks, as the document names them."""

from __future__ import annotations

import pytest

from app.api.v1.schemas import answer_models, answer_name
from app.tasks import TASKS


@pytest.mark.parametrize(
    ("task", "name", "arrays"),
    [
        ("encode", "Latents", {"latents"}),
        ("decode", "Samples", {"samples"}),
        ("generate", "Samples", {"samples"}),
        ("interpolate", "Samples", {"samples"}),
        ("reconstruct", "Reconstructions", {"samples", "errors"}),
        ("denoise", "Denoised", {"samples", "noisy"}),
    ],
)
def test_an_answer_has_the_arrays_of_its_task(task: str, name: str, arrays: set[str]) -> None:
    assert answer_name(task, TASKS[task]) == name
    assert set(answer_models()[name].model_fields) == {"model", "version", "seed"} | arrays


def test_answers_may_lack_a_seed_and_the_noisy_samples() -> None:
    fields = {name: model.model_fields for name, model in answer_models().items()}
    assert not any(answer["seed"].is_required() for answer in fields.values())
    assert not fields["Denoised"]["noisy"].is_required()
    assert fields["Denoised"]["samples"].is_required()
    assert fields["Reconstructions"]["errors"].is_required()
