"""Results of tasks as answers of the Open Inference Protocol: tensors in JSON, or as bytes after it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from app.api.negotiation import JSON, OCTETS
from app.api.state import State
from app.api.v2.models import Entry
from app.api.v2.query import Outputs, Query, find_outputs
from app.arrays import Array
from app.engine.offload import LoopLimit
from app.formats.compression import ENCODINGS, compress
from app.formats.open_inference_answer import write_answer
from app.formats.shared_memory import WriteShared
from app.server.gate import Headers
from app.tasks import Result

HEADER_LENGTH = b"inference-header-content-length"


async def render(
    result: Result, entry: Entry, query: Query, inputs: tuple[Array, ...], state: State, encoding: str | None
) -> tuple[Headers, bytes]:
    """
    Return the headers and the body of an answer.

    It has the wanted outputs, in their order, each as bytes or not. The body is compressed if there is an encoding.
    """
    outputs = find_outputs(entry, query, result, inputs)
    head: dict[str, Any] = {"model_name": entry.name, "model_version": entry.version}
    if query.id is not None:
        head["id"] = query.id
    if result.seed is not None:
        head["parameters"] = {"seed": result.seed}
    pixels = entry.served.manifest.input.shape if entry.served.takes_images else None
    write = partial(_write, head, outputs, encoding, state.regions.write, pixels)
    size, limit = _loop_size(outputs, encoding)
    return write() if size <= limit else await state.offload.run_on_thread(write)


def answer_encoding(headers: Mapping[bytes, bytes]) -> str | None:
    """
    Return the encoding that a client requests by accepting only this one, as tritonclient does when asked to.

    Clients that list several, as most libraries do by default, get uncompressed answers: numbers hardly shrink.
    """
    accepted = headers.get(b"accept-encoding", b"").decode("latin-1").split(",")
    only = accepted[0].strip().lower()
    return only if len(accepted) == 1 and only in ENCODINGS else None


def _loop_size(outputs: Outputs, encoding: str | None) -> tuple[int, int]:
    """Return the size of the work and its limit on the event loop. Compression never runs there."""
    if encoding:
        return 1, 0
    binary_size = sum([array.size for _, array, binary in outputs if binary])
    if binary_size > LoopLimit.WRITE_BINARY_NUMBERS:
        return binary_size, LoopLimit.WRITE_BINARY_NUMBERS
    return sum([array.size for _, array, binary in outputs if not binary]), LoopLimit.WRITE_JSON_NUMBERS


def _write(
    head: Mapping[str, Any],
    outputs: Outputs,
    encoding: str | None,
    write_shared: WriteShared,
    pixels: tuple[int, ...] | None,
) -> tuple[Headers, bytes]:
    content, header_length = write_answer(head, outputs, write_shared, pixels)
    headers = [(b"content-type", (JSON if header_length is None else OCTETS).encode())]
    if header_length is not None:  # its presence tells clients that bytes follow the JSON
        headers.append((HEADER_LENGTH, b"%d" % header_length))
    if encoding:
        content = compress(content, encoding)
        headers += [(b"content-encoding", encoding.encode()), (b"vary", b"Accept-Encoding")]
    headers.append((b"content-length", b"%d" % len(content)))
    return headers, content
