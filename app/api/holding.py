"""The bytes that a request holds between its body and its answer, counted before the model runs."""

from __future__ import annotations

import math
from collections.abc import Iterable

from app.api.negotiation import JSON
from app.arrays import ARRAYS
from app.engine.served import ServedModel
from app.server.gate import Exchange

ARRAY_BYTES = 4
"""Bytes of a float32."""
JSON_BYTES = 12
"""Bytes of a pixel in JSON, with nine decimals and a comma. Other numbers take about as much."""


def hold_rows(
    exchange: Exchange, input_bytes: int, rows: int, outputs: Iterable[tuple[str, str]], model: ServedModel
) -> None:
    """
    Hold what a task will need at once: its input, the arrays of its answer, and the answer itself.

    `outputs` has the name and the media type of each array of the answer. Raises Overloaded.
    """
    count = min(rows, model.max_rows)  # the task refuses more
    size = input_bytes
    for name, media_type in outputs:
        numbers = count * math.prod(ARRAYS[name].row_shape(model.manifest))
        size += numbers * (ARRAY_BYTES + (JSON_BYTES if media_type == JSON else ARRAY_BYTES))
    exchange.hold(size)
