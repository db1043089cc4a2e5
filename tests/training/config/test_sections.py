"""The sections of a configuration refuse values that contradict each other."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.config import AugmentationConfig, DataConfig, NetworkConfig, PreprocessingConfig, Section, settled


@pytest.mark.parametrize(
    ("section", "options", "message"),
    [
        (DataConfig, {"name": "cifar"}, "name"),
        (DataConfig, {"name": "digits", "path": "mine.npy"}, "name and path exclude each other"),
        (DataConfig, {"value_range": (1, 1)}, "value_range: the first number must be below the second"),
        (PreprocessingConfig, {"clip_quantiles": (0.9, 0.1)}, "the first number must be below the second"),
        (NetworkConfig, {"architecture": "conv", "latent_dim": 0, "widths": [4]}, "latent_dim"),
        (NetworkConfig, {"architecture": "conv", "latent_dim": 2, "widths": []}, "widths"),
        (
            NetworkConfig,
            {"architecture": "conv", "latent_dim": 2, "widths": [4], "residual_blocks": [1, 1]},
            "expected 1, one per width",
        ),
        (
            NetworkConfig,
            {"architecture": "dense", "latent_dim": 2, "widths": [4], "residual_blocks": [1]},
            "belong to the architecture 'conv'",
        ),
        (
            NetworkConfig,
            {"architecture": "conv", "latent_dim": 2, "widths": "auto", "residual_blocks": [1]},
            "go with widths that are given, not with widths: auto",
        ),
    ],
)
def test_contradictions_are_refused(section: type[Section], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section.model_validate(options)


@pytest.mark.parametrize(
    ("options", "active"),
    [
        ({}, False),
        ({"shift": 0, "flip": False}, False),
        ({"shift": 1, "flip": False}, True),
        ({"shift": 0, "flip": True}, True),
        ({"shift": "auto", "flip": True}, True),
    ],
)
def test_copies_are_made_if_a_shift_or_a_flip_is_decided(options: dict[str, object], active: bool) -> None:
    assert AugmentationConfig.model_validate(options).is_active == active


def test_an_option_that_the_data_have_not_decided_yet_is_no_value() -> None:
    assert settled(7) == 7
    with pytest.raises(AssertionError, match="settle must come first"):
        settled("auto")
