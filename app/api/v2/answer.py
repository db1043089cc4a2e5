"""The way of a checked request of /v2 to its answer, which HTTP and gRPC share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from app.api.adjusting import adjust
from app.api.holding import hold_rows
from app.api.negotiation import JSON, OCTETS
from app.api.state import State
from app.api.v2.models import Entry
from app.api.v2.query import Query
from app.arrays import Array, Samples
from app.engine.offload import LoopLimit
from app.errors import Expired, WrongShape
from app.formats.images import UNKNOWN_SIZE, decoding_size, media_type, read_images
from app.formats.tensors import BYTES, Tensor
from app.inputs import ImageInput
from app.server.gate import Exchange
from app.tasks import Result
from app.times import now

Answer = TypeVar("Answer")
Render = Callable[[Result, Entry, Query, tuple[Array, ...], State], Awaitable[Answer]]
"""Makes an answer of one wire from a result; the arrays are the checked input."""


async def answer_query(query: Query, entry: Entry, exchange: Exchange, state: State, render: Render[Answer]) -> Answer:
    """Run the task of a model on a request, and return the answer. Raises ServiceError."""
    times = exchange.times
    arrays = query.arrays if query.images is None else (await _read_images(entry, query.images, state),)
    if entry.served.adjusts and entry.task.takes == "samples":
        arrays = (await adjust(arrays[0], entry.served, exchange, entry.task),)
    times.decoded = now()
    exchange.rows = len(arrays[0]) if arrays else 0
    rows = query.options.answer_rows or exchange.rows
    if exchange.held or rows > entry.served.uncounted_rows:
        _hold(exchange, arrays, rows, entry, query)
    work = _work(query, arrays, entry, exchange, state, render)
    if query.timeout is None:
        return await work
    try:
        async with asyncio.timeout(query.timeout):
            return await work
    except TimeoutError as error:
        limit = f"the {query.timeout:g} s of the parameter timeout"
        raise Expired(f"there was no answer within {limit}") from error


async def _work(
    query: Query, arrays: tuple[Array, ...], entry: Entry, exchange: Exchange, state: State, render: Render[Answer]
) -> Answer:
    result = await entry.task.function(entry.served, query.options, *arrays)
    exchange.times.computed = now()
    exchange.rows = exchange.rows or len(result.array)
    return await render(result, entry, query, arrays, state)


async def _read_images(entry: Entry, tensor: Tensor, state: State) -> Samples:
    """Return samples from encoded images, which models of images take as BYTES."""
    expected, images = entry.served.manifest.input, tensor.values
    assert isinstance(expected, ImageInput)
    assert isinstance(images, list)
    if tensor.shape not in ((len(images),), (len(images), 1)):
        raise WrongShape(f"{tensor.name}: expected {BYTES} of shape [images], got {list(tensor.shape)}")
    size = decoding_size(images[0], media_type(images[0])) if len(images) == 1 else UNKNOWN_SIZE
    read = partial(read_images, images, expected, state.settings.max_pixels)
    samples = await state.offload.run(size, LoopLimit.READ_IMAGE_SIZE, read)
    return samples if expected.levels is None else entry.served.checks[entry.check or "samples"](samples)


def _hold(exchange: Exchange, arrays: tuple[Array, ...], rows: int, entry: Entry, query: Query) -> None:
    outputs = [(entry.arrays[name], OCTETS if binary else JSON) for name, binary in query.outputs.items()]
    hold_rows(exchange, sum([array.nbytes for array in arrays]), rows, outputs, entry.served)
