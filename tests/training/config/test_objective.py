"""Objectives refuse options that contradict each other."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.config import DenoisingObjective, Section, VariationalObjective


@pytest.mark.parametrize(
    ("section", "options", "message"),
    [
        (DenoisingObjective, {"amount": [0.5, 0.1], "pretraining_epochs": 1}, "must not exceed"),
        (DenoisingObjective, {"amount": 1.5, "noise": "masking", "pretraining_epochs": 1}, "a share .* at most 1"),
        (VariationalObjective, {"beta": -1}, "beta"),
        (VariationalObjective, {"importance_samples": 2, "free_bits": 0.1}, "free_bits have no meaning"),
        (VariationalObjective, {"binarisation": "dynamic", "likelihood": "gaussian"}, "Bernoulli likelihood"),
    ],
)
def test_contradictions_are_refused(section: type[Section], options: dict[str, object], message: str) -> None:
    family = "denoising-autoencoder" if section is DenoisingObjective else "variational-autoencoder"
    with pytest.raises(ValidationError, match=message):
        section.model_validate({"family": family, **options})


def test_a_fixed_amount_of_noise_is_an_interval_of_equal_ends() -> None:
    fixed = DenoisingObjective(family="denoising-autoencoder", amount=0.3, pretraining_epochs=0)
    varied = DenoisingObjective(family="denoising-autoencoder", amount=(0.1, 0.3), pretraining_epochs=0)
    assert (fixed.interval, varied.interval) == ((0.3, 0.3), (0.1, 0.3))
