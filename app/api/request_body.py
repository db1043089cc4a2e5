"""Reading a request's body, within the limits on its size and on the bytes that all requests hold together."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from starlette.types import Message, Receive

from app.api.state import State
from app.engine.offload import LoopLimit
from app.errors import BodyTooLarge, MalformedBody
from app.formats.compression import decompress
from app.server.budget import UNCOUNTED_BYTES
from app.server.gate import Exchange

Content = TypeVar("Content")


async def read_body(receive: Receive, exchange: Exchange, state: State) -> bytes:
    """
    Return the whole body as it was sent.

    Raises BodyTooLarge or Overloaded as soon as a limit is exceeded, and MalformedBody if the client disconnects.
    """
    limit = state.settings.max_body_bytes
    announced = exchange.headers.get(b"content-length", b"")
    size = int(announced) if announced.isdigit() else 0
    if size > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {size}")
    if size > UNCOUNTED_BYTES:
        state.budget.check(size)
    message = await receive()
    content: bytes = message.get("body", b"")
    if message.get("more_body") or message["type"] == "http.disconnect" or len(content) > limit:
        return await _receive_rest(message, receive, exchange, limit)
    if len(content) > UNCOUNTED_BYTES:
        exchange.hold(len(content))
    return content


async def _receive_rest(message: Message, receive: Receive, exchange: Exchange, limit: int) -> bytes:
    """Count each part as it arrives. The parts are joined in a buffer that grows in place, not in a second copy."""
    body = io.BytesIO()
    while True:
        size = body.tell() + len(message.get("body", b""))
        if size > limit:
            raise BodyTooLarge(f"expected a body of at most {limit} bytes, got more")
        exchange.hold(size)
        body.write(message.get("body", b""))
        if not message.get("more_body"):
            break
        message = await receive()
    if message["type"] == "http.disconnect":
        raise MalformedBody("the connection ended before the body did")
    return body.getvalue()


async def read_plain_body(receive: Receive, exchange: Exchange, state: State) -> bytes:
    """Return the whole body, decompressed, and count it. Raises what `read_body` and `read_decompressed` raise."""
    content = await read_body(receive, exchange, state)
    encoding = exchange.headers.get(b"content-encoding")
    if encoding is not None:
        read = partial(read_decompressed, content, encoding, state, bytes)
        content = await state.offload.run(len(content), LoopLimit.DECOMPRESS_BYTES, read)
        exchange.hold(len(content))
    return content


def read_decompressed(content: bytes, encoding: bytes, state: State, read: Callable[[bytes], Content]) -> Content:
    """
    Decompress a body and read it at once, so that only as many decompressed bodies are in memory as there are threads.

    Raises Overloaded, what `decompress` raises, and what `read` raises.
    """
    with state.budget.decompressing() as decompression:
        limit = state.settings.max_decompressed_bytes
        return read(decompress(content, encoding.decode("latin-1"), limit, decompression.add))
