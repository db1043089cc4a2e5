"""Conversions between the user's units and those that errors are measured in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from app.arrays import Array, Samples
from app.inputs import ValueRange
from app.manifest import Manifest, Preprocessing

MIN_LOG1P_ARGUMENT = np.float32(-1 + 2**-24)
"""The log1p of smaller numbers is not finite; an untrained decoder may return such numbers."""


def to_unit(samples: Samples, value_range: ValueRange) -> Samples:
    """Map the value range to [0, 1]."""
    return (samples - np.float32(value_range.low)) / np.float32(value_range.span)


def to_x(samples: Samples, manifest: Manifest, *, clipped: bool = True) -> Samples:
    """
    Convert the user's units to those of the network: x = (clip(log1p(samples)) - shift) / scale.

    If the manifest has no preprocessing, the value range is mapped to [0, 1]. Use `clipped=False` for a decoder's
    output, since the network did not clip it either.
    """
    record = manifest.preprocessing
    if record is None:
        value_range = manifest.input.value_range
        return to_unit(samples, value_range) if value_range else samples
    logged, low, high, shift, scale = _columns(record, samples.ndim)
    if logged.any():
        samples = np.log1p(np.maximum(samples, MIN_LOG1P_ARGUMENT), where=logged, out=samples.copy())
    if clipped:
        samples = np.clip(samples, low, high)
    return np.asarray((samples - shift) / scale, np.float32)


def from_x(x: Samples, manifest: Manifest) -> Samples:
    """Convert x to the user's units, within the value range. Clipped numbers stay clipped."""
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
    """Return True if p(x|z) is a Bernoulli, or if an older manifest has no likelihood but a value range."""
    if manifest.likelihood is None:
        return manifest.input.value_range is not None
    return manifest.likelihood.kind == "bernoulli"


def has_likelihood(manifest: Manifest) -> bool:
    """Return True if p(x|z) is known. The manifest of a table may lack it."""
    return manifest.likelihood is not None or is_bernoulli(manifest)


def in_unit_interval(manifest: Manifest) -> bool:
    """Return True if x lies in [0, 1] for all samples in the model's value range."""
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
    """Return the record's five tuples, shaped to broadcast over (N, features) or (N, channels, height, width)."""
    shape = (-1, *[1] * (axes - 2))
    low = [-math.inf if value is None else value for value in record.low]
    high = [math.inf if value is None else value for value in record.high]
    numbers = [np.array(values, np.float32).reshape(shape) for values in (low, high, record.shift, record.scale)]
    return np.array(record.log1p).reshape(shape), numbers[0], numbers[1], numbers[2], numbers[3]
