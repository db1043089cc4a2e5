"""The sections of a configuration refuse values that contradict each other."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.config import DataConfig, NetworkConfig, PreprocessingConfig, Section


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
    ],
)
def test_contradictions_are_refused(section: type[Section], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        section.model_validate(options)
