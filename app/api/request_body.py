"""Reading a request's body, within the limits on its size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starlette.types import Message, Receive

from app.api.state import State
from app.engine.offload import LoopLimit
from app.errors import BodyTooLarge, MalformedBody
from app.formats.compression import decompress


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], state: State) -> bytes:
    """
    Return the whole body, decompressed if it has a Content-Encoding.

    Raises BodyTooLarge as soon as the limit is exceeded, MalformedBody if the client disconnects, and what `decompress`
    raises.
    """
    limit = state.settings.max_body_bytes
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {announced.decode()}")
    message = await receive()
    content: bytes = message.get("body", b"")
    if message.get("more_body") or message["type"] == "http.disconnect" or len(content) > limit:
        content = await _receive_rest(message, receive, limit)
    encoding = headers.get(b"content-encoding")
    if encoding is None:
        return content
    call = partial(decompress, content, encoding.decode("latin-1"), state.settings.max_decompressed_bytes)
    return await state.offload.run(len(content), LoopLimit.DECOMPRESS_BYTES, call)


async def _receive_rest(message: Message, receive: Receive, limit: int) -> bytes:
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    while message.get("more_body") and size <= limit:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if message["type"] == "http.disconnect":
        raise MalformedBody("the connection ended before the body did")
    if size > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got more")
    return b"".join(chunks)
