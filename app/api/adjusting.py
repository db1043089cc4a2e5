"""Samples beyond the range that training found are clipped, missing numbers are filled, and the answer counts both."""

from __future__ import annotations

from app.arrays import Samples
from app.engine.served import ServedModel
from app.server.gate import Exchange
from app.tasks import Task

CLIPPED_NUMBERS, FILLED_NUMBERS = b"x-clipped-numbers", b"x-filled-numbers"


async def adjust(samples: Samples, model: ServedModel, exchange: Exchange, task: Task) -> Samples:
    """
    Return samples without gaps and, unless the task takes any, within the model's range.

    The answer gets headers with the counts, unless 0.
    """
    adjusted = await model.adjust(samples, clip=not task.unbounded)
    counts = ((CLIPPED_NUMBERS, adjusted.clipped), (FILLED_NUMBERS, adjusted.filled))
    exchange.extra_headers = [*exchange.extra_headers, *((name, b"%d" % count) for name, count in counts if count)]
    return adjusted.samples
