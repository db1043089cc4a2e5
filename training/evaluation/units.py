"""Between the user's units and those that errors are measured in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from app.manifest import Manifest, Preprocessing, ValueRange

Array = npt.NDArray[np.float32]

LEAST_COUNT = np.float32(-1 + 2**-24)
"""Below it log1p has no finite answer; an untrained decoder can come as low."""


def to_unit(samples: Array, value_range: ValueRange) -> Array:
    """From the user's units to [0, 1]."""
    return (samples - np.float32(value_range.low)) / np.float32(value_range.span)


def to_x(samples: Array, manifest: Manifest, *, clipped: bool = True) -> Array:
    """
    From the user's units to those of the network: x = (clip(log1p(samples)) - shift) / scale.

    Of a manifest that does not tell its preprocessing, the value range is mapped to [0, 1]. What a decoder gave is
    not clipped: the network had not clipped it either.
    """
    record = manifest.preprocessing
    if record is None:
        value_range = manifest.input.value_range
        return to_unit(samples, value_range) if value_range else samples
    logged, low, high, shift, scale = _columns(record, samples.ndim)
    if logged.any():
        samples = np.log1p(np.maximum(samples, LEAST_COUNT), where=logged, out=samples.copy())
    if clipped:
        samples = np.clip(samples, low, high)
    return np.asarray((samples - shift) / scale, np.float32)


def from_x(x: Array, manifest: Manifest) -> Array:
    """Back to the user's units, within the value range; what was clipped stays clipped."""
    record, value_range = manifest.preprocessing, manifest.input.value_range
    if record is not None:
        logged, _, _, shift, scale = _columns(record, x.ndim)
        samples = x * scale + shift
        if logged.any():
            samples = np.expm1(samples, where=logged, out=samples.copy())
    elif value_range:
        samples = x * np.float32(value_range.span) + np.float32(value_range.low)
    else:
        samples = x
    if value_range:
        samples = np.clip(samples, np.float32(value_range.low), np.float32(value_range.high))
    return np.asarray(samples, np.float32)


def is_bernoulli(manifest: Manifest) -> bool:
    """Whether p(x|z) is a Bernoulli; of a manifest that does not tell, whether there is a value range."""
    if manifest.likelihood is None:
        return manifest.input.value_range is not None
    return manifest.likelihood.kind == "bernoulli"


def has_likelihood(manifest: Manifest) -> bool:
    """Whether p(x|z) is known: a table's manifest may not tell it."""
    return manifest.likelihood is not None or is_bernoulli(manifest)


def in_unit_interval(manifest: Manifest) -> bool:
    """Whether x lies in [0, 1] for all that the model takes."""
    value_range = manifest.input.value_range
    if is_bernoulli(manifest):
        return True
    if value_range is None:
        return False
    ends = np.array([value_range.low, value_range.high], np.float32)
    shape = manifest.input_shape
    x = to_x(np.broadcast_to(ends.reshape(2, *[1] * len(shape)), (2, *shape)), manifest)
    return bool(x.min() >= 0 and x.max() <= 1)


def _columns(record: Preprocessing, axes: int) -> tuple[npt.NDArray[np.bool_], Array, Array, Array, Array]:
    """The record's five tuples, shaped to broadcast over (N, features) or (N, channels, height, width)."""
    shape = (-1, *[1] * (axes - 2))
    low = [-math.inf if value is None else value for value in record.low]
    high = [math.inf if value is None else value for value in record.high]
    numbers = [np.array(values, np.float32).reshape(shape) for values in (low, high, record.shift, record.scale)]
    return np.array(record.log1p).reshape(shape), numbers[0], numbers[1], numbers[2], numbers[3]
