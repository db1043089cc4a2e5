"""
The shifts and flips that training uses.

Principal axes of few images fit what is particular to these images. Axes of shifted and mirrored copies reconstruct
other images better if the data allow such changes, and worse if not: a mirrored digit is no digit. So a linear
reconstruction of held-out images decides, in seconds, what would take several trainings to find out.
"""

from __future__ import annotations

from app.inputs import ImageInput
from training.choices.spectrum import principal_axes, residual
from training.config import AugmentationConfig
from training.data.dataset import DataSet
from training.preprocessing import Preprocessor

MAX_ROWS = 30_000
"""Training images from which nothing is changed unless the configuration says so: there are enough."""
SHIFT_SHARES = (1 / 32, 1 / 16)
"""Shifts that are tried, as shares of the shorter side."""
NONE = AugmentationConfig(shift=0, flip=False)


def choose_augmentation(
    options: AugmentationConfig, data: DataSet, preprocessing: Preprocessor, count: int
) -> tuple[AugmentationConfig, str]:
    """Return shifts and flips for images, by the linear reconstruction from `count` components, and the reason."""
    if not isinstance(data.input, ImageInput):
        return NONE, ""
    candidates = list(dict.fromkeys(_candidates(options, data)))
    if len(candidates) == 1:
        return candidates[0], ""
    errors = {option: _error(option, data, preprocessing, count) for option in candidates}
    best = min(candidates, key=lambda option: errors[option])
    plain = errors[candidates[0]]
    if plain == 0 or best == candidates[0]:
        return candidates[0], "copies would not help a linear reconstruction of the validation part"
    return (
        best,
        f"they reduce the error of a linear reconstruction of the validation part by {1 - errors[best] / plain:.0%}",
    )


def _candidates(options: AugmentationConfig, data: DataSet) -> list[AugmentationConfig]:
    """Return the combinations that the configuration leaves open, the most modest first."""
    side = min(data.input.shape[1:])
    is_small = len(data.train) < MAX_ROWS
    tried = (0, *(max(1, round(share * side)) for share in SHIFT_SHARES)) if is_small else (0,)
    shifts = tried if options.shift == "auto" else (options.shift,)
    flips = (False, True) if options.flip == "auto" and is_small else (options.flip is True,)
    return [AugmentationConfig(shift=shift, flip=flip) for flip in flips for shift in shifts]


def _error(options: AugmentationConfig, data: DataSet, preprocessing: Preprocessor, count: int) -> float:
    axes = principal_axes([data.train], preprocessing, count, options)
    return float(residual(axes, data.validation, preprocessing).double().mean())
