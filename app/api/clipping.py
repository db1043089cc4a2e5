"""Samples beyond the range that training found: they are clipped, and the answer counts them."""

from __future__ import annotations

from app.arrays import Samples
from app.engine.served import ServedModel
from app.server.gate import Exchange

CLIPPED_NUMBERS = b"x-clipped-numbers"


async def clip(samples: Samples, model: ServedModel, exchange: Exchange) -> Samples:
    """Return samples within the model's range. If any number was beyond it, the answer gets a header with the count."""
    clipped, count = await model.clip(samples)
    if count:
        exchange.extra_headers = [*exchange.extra_headers, (CLIPPED_NUMBERS, b"%d" % count)]
    return clipped
