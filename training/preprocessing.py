"""
The steps between the user's units and the network's: log1p, clipping, scaling, and their inverse.

They are fitted on the training part only. They form a torch module, so that they become part of the exported graphs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.inputs import ImageInput
from app.manifest import Preprocessing
from training.config import Config, PreprocessingConfig
from training.data.dataset import DataSet, Split
from training.errors import DataError, InvalidConfiguration
from training.networks.likelihoods import likelihood_name

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Scaling = Literal["none", "range", "standardise"]

CHUNK_ROWS = 8192
"""Rows that are in memory as float64 at a time."""
ROUNDING_TOLERANCE = 1e-6
"""Distance from [0, 1] that is attributed to rounding."""
MAX_NAMES_SHOWN = 12
"""Names of columns in an error message."""


class Preprocessor(nn.Module):
    """
    x = (clip(log1p(samples)) - shift) / scale, each step per feature of a vector or per channel of an image.

        samples  (B, *input_shape)  in the user's units
        x        (B, *input_shape)  in the network's units
    """

    logged: Tensor
    low: Tensor
    high: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, record: Preprocessing, axes: int) -> None:
        super().__init__()
        self.record = record
        shape = (-1, *[1] * (axes - 1))
        for name, values in (("shift", record.shift), ("scale", record.scale)):
            self.register_buffer(name, torch.tensor(values).view(shape), persistent=False)
        ends = {
            "low": [-math.inf if value is None else value for value in record.low],
            "high": [math.inf if value is None else value for value in record.high],
        }
        for name, bounds in ends.items():
            self.register_buffer(name, torch.tensor(bounds).view(shape), persistent=False)
        self.register_buffer("logged", torch.tensor(record.log1p).view(shape), persistent=False)
        self._logs = any(record.log1p)
        self._clips = any(value is not None for value in (*record.low, *record.high))

    def forward(self, samples: Tensor) -> Tensor:
        """Convert from the user's units. Shapes: (B, *input_shape) -> (B, *input_shape)."""
        if self._logs:
            samples = torch.where(self.logged, torch.log1p(samples), samples)
        if self._clips:
            samples = torch.minimum(torch.maximum(samples, self.low), self.high)
        return (samples - self.shift) / self.scale

    def inverse(self, x: Tensor) -> Tensor:
        """Convert back to the user's units, except that clipped values stay clipped."""
        samples = self.shift + self.scale * x
        return torch.where(self.logged, torch.expm1(samples), samples) if self._logs else samples


def fit_preprocessing(config: Config, data: DataSet) -> Preprocessor:
    """
    Fit the preprocessing of a configuration on the training part.

    Raises DataError if log1p meets negative values, or if a Bernoulli likelihood meets values outside [0, 1].
    """
    likelihood = likelihood_name(config, data.input)
    scaling = choose_scaling(config.preprocessing, likelihood)
    logged = logged_columns(config.preprocessing, data)
    low, high, shift, scale = _fit_columns(config.preprocessing, data, scaling, logged)
    scale = np.where(scale > 0, scale, 1.0)
    record = Preprocessing(
        log1p=tuple(map(bool, logged)),
        low=tuple(value if math.isfinite(value) else None for value in low.tolist()),
        high=tuple(value if math.isfinite(value) else None for value in high.tolist()),
        shift=tuple(shift.tolist()),
        scale=tuple(scale.tolist()),
    )
    preprocessor = Preprocessor(record, len(data.input.shape))
    if likelihood == "bernoulli":
        check_unit_interval(preprocessor, data)
    return preprocessor


def choose_scaling(options: PreprocessingConfig, likelihood: str) -> Scaling:
    """Return the configured scaling, or the likelihood's. Raises InvalidConfiguration if the two do not fit."""
    if options.scaling == "auto":
        return "range" if likelihood == "bernoulli" else "standardise"
    if options.scaling == "standardise" and likelihood == "bernoulli":
        raise InvalidConfiguration(
            "--set preprocessing.scaling=standardise: standardised values do not lie in [0, 1], as a Bernoulli "
            "likelihood needs; say --set preprocessing.scaling=range, or --set objective.likelihood=gaussian"
        )
    return options.scaling


def _fit_columns(
    options: PreprocessingConfig, data: DataSet, scaling: Scaling, logged: Mask
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Return low, high, shift and scale of each column. A scale of 0 stands for a constant column."""
    columns = len(logged)
    low, high = np.full(columns, -np.inf), np.full(columns, np.inf)
    if options.clip_quantiles:
        low, high = quantiles(data.train, logged, options.clip_quantiles)
    match scaling:
        case "standardise":
            return low, high, *moments(data.train, logged, low, high)
        case "none":
            return low, high, np.zeros(columns), np.ones(columns)
    declared = data.input.value_range
    if declared and not any(logged) and options.clip_quantiles is None:
        return low, high, np.full(columns, declared.low), np.full(columns, declared.span)
    low, high = extremes(data.train, logged, low, high)
    return low, high, low, high - low


def logged_columns(options: PreprocessingConfig, data: DataSet) -> Mask:
    """Return the mask of columns to take log1p of. Raises DataError if such a column has a negative value."""
    names = () if isinstance(data.input, ImageInput) else data.input.feature_names
    logged = np.zeros(data.input.shape[0], bool)
    if isinstance(options.log1p, bool):
        logged[:] = options.log1p
    else:
        unknown = sorted(set(options.log1p) - set(names))
        if unknown:
            known = f"there are {_shortened(names)}" if names else "the columns have no names"
            raise InvalidConfiguration(f"--set preprocessing.log1p: no column {unknown[0]!r}; {known}")
        logged[[names.index(name) for name in options.log1p]] = True
    for split in (data.train, data.validation, data.test) if logged.any() else ():
        least = np.min([chunk.min(axis=(0, 2)) for chunk in columns_of(split)], axis=0)
        for column in np.flatnonzero(logged & (least < 0)):
            raise DataError(f"{data.name}: log1p of {_column(data, int(column))}: expected no negative value, "
                            f"found {least[column]:g}")  # fmt: skip
    return logged


def columns_of(split: Split) -> Iterator[Doubles]:
    """Yield chunks of shape (rows, columns, numbers): features of one number each, or channels of many pixels."""
    for start in range(0, len(split), CHUNK_ROWS):
        samples = split.take(slice(start, start + CHUNK_ROWS)).in_users_units().astype(np.float64)
        yield samples.reshape(len(samples), samples.shape[1], -1)


def _transformed(split: Split, logged: Mask, low: Doubles, high: Doubles) -> Iterator[Doubles]:
    for chunk in columns_of(split):
        if logged.any():
            chunk[:, logged] = np.log1p(chunk[:, logged])
        yield np.clip(chunk, low[:, None], high[:, None])


def quantiles(split: Split, logged: Mask, levels: tuple[float, float]) -> tuple[Doubles, Doubles]:
    """Return two quantiles of each column."""
    ends = []
    for column, is_logged in enumerate(logged):
        values = split.samples[:, column].astype(np.float32) * np.float32(split.unit)
        ends.append(np.quantile(np.log1p(values) if is_logged else values, levels))
    low, high = np.array(ends, np.float64).T
    return low, high


def moments(split: Split, logged: Mask, low: Doubles, high: Doubles) -> tuple[Doubles, Doubles]:
    """Return mean and standard deviation of each column, in two passes: one pass would lose digits."""
    count = len(split) * math.prod(split.samples.shape[2:])
    mean = sum((chunk.sum(axis=(0, 2)) for chunk in _transformed(split, logged, low, high)), np.zeros(len(low))) / count
    squares = (np.square(chunk - mean[:, None]).sum(axis=(0, 2)) for chunk in _transformed(split, logged, low, high))
    return mean, np.sqrt(sum(squares, np.zeros(len(low))) / count)


def extremes(split: Split, logged: Mask, low: Doubles, high: Doubles) -> tuple[Doubles, Doubles]:
    """Return the least and the largest value of each column."""
    chunks = [(c.min(axis=(0, 2)), c.max(axis=(0, 2))) for c in _transformed(split, logged, low, high)]
    return np.min([least for least, _ in chunks], axis=0), np.max([most for _, most in chunks], axis=0)


def check_unit_interval(preprocessor: Preprocessor, data: DataSet) -> None:
    """Raise DataError at the first value outside [0, 1], the range of a Bernoulli likelihood."""
    for part, split in (("training", data.train), ("validation", data.validation), ("test", data.test)):
        for start in range(0, len(split), CHUNK_ROWS):
            samples = split.take(slice(start, start + CHUNK_ROWS)).in_users_units()
            x = preprocessor(torch.from_numpy(samples)).numpy()
            outside = np.argwhere((x < -ROUNDING_TOLERANCE) | (x > 1 + ROUNDING_TOLERANCE))
            if len(outside):
                at = tuple(outside[0])
                raise DataError(
                    f"{data.name}: row {start + int(at[0])} of the {part} part, {_column(data, int(at[1]))}: "
                    f"{samples[at]:g} is outside [0, 1] after preprocessing, as a Bernoulli likelihood needs; "
                    "say --set preprocessing.scaling=range, or --set objective.likelihood=gaussian"
                )


def _column(data: DataSet, column: int) -> str:
    if isinstance(data.input, ImageInput):
        return f"channel {column}"
    return f"column {data.input.feature_names[column]!r}" if data.input.feature_names else f"column {column}"


def _shortened(names: tuple[str, ...], most: int = MAX_NAMES_SHOWN) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"
