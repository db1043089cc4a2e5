"""A request of /v2, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.arrays import Array
from app.formats.tensors import Tensor
from app.options import Options


class Query(NamedTuple):
    """The parts of an inference request."""

    id: str | None
    """The request's id in the protocol, which the answer repeats."""
    outputs: Mapping[str, bool]
    """The wanted outputs in order, each True if it shall come as bytes."""
    options: Options
    timeout: float | None
    """The time limit in seconds."""
    arrays: tuple[Array, ...] = ()
    """The checked input, if the task takes one and it is not `images`."""
    images: Tensor | None = None
    """The input as encoded images."""
