"""
The endpoint of inference requests of the Open Inference Protocol over HTTP.

It ignores the Content-Type: tritonclient sends none, and its asyncio client always sends the same. A header of its own
says whether bytes follow the JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NoReturn

from starlette.types import Receive, Scope, Send

from app.api.request_body import read_body, read_decompressed
from app.api.state import State
from app.api.v2.answer import answer_query
from app.api.v2.models import Entries, Entry
from app.api.v2.query import Query, read_query
from app.api.v2.reply import HEADER_LENGTH, answer_encoding, render
from app.api.v2.shared_memory.reading import shared_reader
from app.engine.offload import LoopLimit
from app.errors import MalformedBody
from app.formats.open_inference import read_raw, read_request
from app.formats.shared_memory import REGION
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
            size, on_loop, read = _reading(entry, content, headers, state)
            query = read() if size <= on_loop else await state.offload.run_on_thread(read)
            del content, read  # not needed any more; neither are the arrays and the result while the client reads
            encoding = answer_encoding(headers) if b"accept-encoding" in headers else None
            answer = await answer_query(query, entry, exchange, state, partial(render, encoding=encoding))
            times.encoded = now()
        except BaseException:  # a cancelled request counts, too
            requests.add_failure(times)
            raise
        requests.add_success(times)
        del query
        await exchange.respond(*answer)


def _reading(
    entry: Entry, content: bytes, headers: Mapping[bytes, bytes], state: State
) -> tuple[int, int, Callable[[], Query]]:
    """Return the size of the work of reading a body, its limit on the event loop, and the function that reads."""
    size, encoding, header_length = len(content), headers.get(b"content-encoding"), None
    read_shared = shared_reader(state) if state.regions.offered else None
    if HEADER_LENGTH in headers:
        length = headers[HEADER_LENGTH]
        header_length = int(length) if length.isdigit() and len(length) <= MAX_LENGTH_DIGITS else _refuse(length)
    if header_length == 0:
        expected = entry.inputs[0]
        row_shape = expected.shape[1:]
        parse = partial(read_raw, name=expected.name, datatype=expected.datatype, row_shape=row_shape)
    else:
        parse = partial(read_request, header_length=header_length, read_shared=read_shared)
    if encoding is not None:
        read = partial(read_decompressed, content, encoding, state, partial(read_query, entry, parse))
        return size, LoopLimit.DECOMPRESS_BYTES, read
    call = partial(read_query, entry, parse, content)
    if read_shared is not None and REGION.encode() in content[:header_length]:
        return 1, 0, call  # the size of the tensors is not known
    if size > LoopLimit.READ_BINARY_BYTES:
        return size, LoopLimit.READ_BINARY_BYTES, call
    return size if header_length is None else header_length, LoopLimit.READ_JSON_BYTES, call


def _refuse(length: bytes) -> NoReturn:
    raise MalformedBody(f"Inference-Header-Content-Length: expected a number of bytes, got {length[:60]!r}")
