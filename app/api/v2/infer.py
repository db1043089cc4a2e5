"""
The endpoint of inference requests of the Open Inference Protocol.

It ignores the Content-Type: tritonclient sends none, and its asyncio client always sends the same. A header of its own
says whether bytes follow the JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from starlette.types import Receive, Scope, Send

from app.api.adjusting import adjust
from app.api.holding import hold_rows
from app.api.negotiation import JSON, OCTETS
from app.api.request_body import read_body, read_decompressed
from app.api.state import State
from app.api.v2.models import Entries, Entry
from app.api.v2.parameters import find_input, read_parameters
from app.api.v2.query import Query
from app.api.v2.reply import HEADER_LENGTH, answer_encoding, render
from app.arrays import Array, Samples
from app.engine.offload import LoopLimit
from app.errors import MAX_REPEATED_CHARACTERS, Expired, InvalidInput, MalformedBody, WrongShape
from app.formats.images import UNKNOWN_SIZE, decoding_size, media_type, read_images
from app.formats.levels import numbers_from_levels
from app.formats.open_inference import InferenceRequest, read_raw, read_request
from app.formats.tensors import BYTES, LEVELS, Tensor
from app.inputs import ImageInput
from app.server.gate import EXCHANGE, Exchange
from app.times import now

INFER_PATHS = ("/v2/models/{name}/infer", "/v2/models/{name}/versions/{version}/infer")
"""The paths of inference: of the default version, and of any version."""
MAX_LENGTH_DIGITS = 18


class InferEndpoint:
    """`/v2/models/{name}[/versions/{version}]/infer`, as an ASGI application."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Errors are raised for the gate."""
        exchange: Exchange = scope[EXCHANGE]
        times, headers, state = exchange.times, exchange.headers, self._state
        exchange.route, exchange.task = INFER_PATHS["version" in scope["path_params"]], ""
        entry = state.catalog.view(Entries).get(**scope["path_params"])
        exchange.model, exchange.task = entry.served.manifest, entry.task_name
        requests = entry.served.requests[entry.task_name]
        try:
            content = await read_body(receive, exchange, state)
            exchange.bytes_in = len(content)
            exchange.watched = exchange.watcher.add(receive)
            times.received = now()
            size, on_loop, read = _reading(entry, _header_length(headers), content, headers, state)
            query = read() if size <= on_loop else await state.offload.run_on_thread(read)
            del content, read  # not needed any more; neither are the arrays and the result while the client reads
            arrays = query.arrays if query.images is None else (await self._read_images(entry, query.images),)
            if entry.served.adjusts and entry.task.takes == "samples":
                arrays = (await adjust(arrays[0], entry.served, exchange),)
            times.decoded = now()
            exchange.rows = len(arrays[0]) if arrays else 0
            rows = query.options.answer_rows or exchange.rows
            if exchange.held or rows > entry.served.uncounted_rows:
                _hold(exchange, arrays, rows, entry, query)
            try:
                async with asyncio.timeout(query.timeout):
                    result = await entry.task.function(entry.served, query.options, *arrays)
                    times.computed = now()
                    exchange.rows = exchange.rows or len(result.array)
                    answer = await render(result, entry, query, arrays, answer_encoding(headers), state)
            except TimeoutError as error:
                limit = f"the {query.timeout:g} s of the parameter timeout"
                raise Expired(f"there was no answer within {limit}") from error
            times.encoded = now()
        except BaseException:  # a cancelled request counts, too
            requests.add_failure(times)
            raise
        requests.add_success(times)
        del query, arrays, result
        await exchange.respond(*answer)

    async def _read_images(self, entry: Entry, tensor: Tensor) -> Samples:
        """Return samples from encoded images, which models of images take as BYTES."""
        expected, images = entry.served.manifest.input, tensor.values
        assert isinstance(expected, ImageInput)
        assert isinstance(images, list)
        if tensor.shape not in ((len(images),), (len(images), 1)):
            raise WrongShape(f"{tensor.name}: expected {BYTES} of shape [images], got {list(tensor.shape)}")
        size = decoding_size(images[0], media_type(images[0])) if len(images) == 1 else UNKNOWN_SIZE
        read = partial(read_images, images, expected, self._state.settings.max_pixels)
        samples = await self._state.offload.run(size, LoopLimit.READ_IMAGE_SIZE, read)
        return samples if expected.levels is None else entry.served.checks["samples"](samples)


def _hold(exchange: Exchange, arrays: tuple[Array, ...], rows: int, entry: Entry, query: Query) -> None:
    outputs = [(name, OCTETS if binary else JSON) for name, binary in query.outputs.items()]
    hold_rows(exchange, sum([array.nbytes for array in arrays]), rows, outputs, entry.served)


def _reading(
    entry: Entry, header_length: int | None, content: bytes, headers: Mapping[bytes, bytes], state: State
) -> tuple[int, int, Callable[[], Query]]:
    """Return the size of the work of reading a body, its limit on the event loop, and the function that reads."""
    size, encoding = len(content), headers.get(b"content-encoding")
    if encoding is not None:
        read = partial(read_decompressed, content, encoding, state, partial(_read, entry, header_length))
        return size, LoopLimit.DECOMPRESS_BYTES, read
    call = partial(_read, entry, header_length, content)
    if size > LoopLimit.READ_BINARY_BYTES:
        return size, LoopLimit.READ_BINARY_BYTES, call
    return size if header_length is None else header_length, LoopLimit.READ_JSON_BYTES, call


def _read(entry: Entry, header_length: int | None, content: bytes) -> Query:
    """Return the checked parts of a request. Raises what its formats and the model's checks raise."""
    if header_length == 0:
        expected = entry.inputs[0]
        request = read_raw(content, expected.name, expected.datatype, expected.shape[1:])
    else:
        request = read_request(content, header_length)
    outputs = wanted_outputs(entry, request)
    name, options, timeout = entry.task.takes, entry.defaults, None
    if request.parameters or name is None:
        options, timeout = read_parameters(entry, request)
    if name is None:
        return Query(request.id, outputs, options, timeout)
    tensor = request.inputs[name] if name in request.inputs and len(request.inputs) == 1 else find_input(entry, request)
    if tensor.shape[0] > entry.served.max_rows:
        entry.served.check_row_count(tensor.shape[0])
    if isinstance(tensor.values, list) and entry.takes_images:
        return Query(request.id, outputs, options, timeout, images=tensor)
    unit = entry.served.level_unit if name == "samples" and tensor.datatype == LEVELS else None
    rows = tensor.numbers() if unit is None else numbers_from_levels(tensor.numbers(), unit, name)
    return Query(request.id, outputs, options, timeout, (entry.served.checks[name](rows),))


def wanted_outputs(entry: Entry, request: InferenceRequest) -> Mapping[str, bool]:
    """Return the wanted outputs, in the request's order, each True if it shall come as bytes. Raises InvalidInput."""
    if request.outputs is None:
        return dict.fromkeys(entry.output_names, request.binary)
    for name in request.outputs:
        if name not in entry.output_names:
            raise InvalidInput(
                f"outputs: expected {' or '.join(entry.output_names)}, got {name[:MAX_REPEATED_CHARACTERS]!r}"
            )
    return request.outputs


def _header_length(headers: Mapping[bytes, bytes]) -> int | None:
    """Return the length of the JSON in the body, or None if the whole body is JSON. Raises MalformedBody."""
    length = headers.get(HEADER_LENGTH)
    if length is None:
        return None
    if not length.isdigit() or len(length) > MAX_LENGTH_DIGITS:
        raise MalformedBody(f"Inference-Header-Content-Length: expected a number of bytes, got {length[:60]!r}")
    return int(length)
