"""
Calls of gRPC as requests of ASGI, so that the gate and the guard do for them what they do for HTTP.

A call is a POST request to the path of its method, with its metadata as headers and its message as body. Its answer's
body is a message, or the problem document of an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Any
from urllib.parse import unquote

import grpc
import orjson
import structlog
from starlette.types import ASGIApp, Message, Scope

log = structlog.get_logger(__name__)

HOP_HEADERS = frozenset({b"connection", b"content-length", b"content-type", b"x-content-type-options"})
"""Headers of answers that mean nothing in gRPC. The others become trailing metadata."""
FRAMING = frozenset({"content-length", "content-encoding", "transfer-encoding"})
"""Metadata that would describe the body of a request of HTTP, and describes nothing in gRPC."""
ERROR_CODE = "error-code"
"""The trailing metadata with the code of an error, such as `unknown-model`."""
BUG = "the server failed; its log says why"

CODES = {
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    409: grpc.StatusCode.FAILED_PRECONDITION,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""Other statuses are INVALID_ARGUMENT below 500, else INTERNAL."""
NOT_OFFERED = "refused"
"""The error of a function that the server does not offer: gRPC has a code of its own for it."""

Metadata = tuple[tuple[str, str], ...]


class Answer:
    """The answer of an ASGI application: its status, its headers and its body."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Iterable[tuple[bytes, bytes]] = ()
        self.body = b""

    async def send(self, message: Message) -> None:
        """Take a message of the application."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body = self.body + message["body"] if self.body else message["body"]

    def metadata(self) -> Metadata:
        """Return the headers as metadata."""
        return tuple(
            [(name.decode(), value.decode("latin-1")) for name, value in self.headers if name not in HOP_HEADERS]
        )


class Calls:
    """Passes calls to an application, each in a task that is among `tasks` until it ends."""

    def __init__(self, app: ASGIApp, tasks: set[asyncio.Task[None]], scheme: str) -> None:
        self._app = app
        self._tasks: set[Any] = tasks
        self._scheme = scheme

    def unary(self, path: str) -> Any:
        """Return the handler of a method that takes and gives one message."""
        return grpc.unary_unary_rpc_method_handler(partial(self.answer, path))

    def refused_stream(self, path: str) -> Any:
        """Return the handler of a method with streams, which the application refuses."""

        async def refuse(requests: AsyncIterator[bytes], context: Any) -> None:
            async for _ in requests:  # clients that are refused before they send show an error of their own
                break
            await self.answer(path, b"", context)

        return grpc.stream_stream_rpc_method_handler(refuse)

    async def answer(self, path: str, content: bytes, context: Any) -> bytes:
        """Return the answer to a call, or abort it with the code and the detail of its error."""
        answer, task = Answer(), asyncio.current_task()
        self._tasks.add(task)
        try:
            await self._app(call_scope(path, context, self._scheme), partial(_receive, [content]), answer.send)
        except Exception as error:  # its text must not reach the client, as it would through grpc
            log.error("unexpected exception", path=path, exc_info=error)
            await context.abort(grpc.StatusCode.INTERNAL, BUG)
        finally:
            self._tasks.discard(task)
        if answer.status == 200:
            context.set_trailing_metadata(answer.metadata())
            return answer.body
        problem = orjson.loads(answer.body)
        metadata = (*answer.metadata(), (ERROR_CODE, problem["code"]))
        await context.abort(grpc_code(answer.status, problem["code"]), problem["detail"], metadata)
        raise AssertionError("abort raises")


def grpc_code(status: int, error_code: str) -> grpc.StatusCode:
    """Return the code of an error with a status of HTTP and a code of `app.errors`."""
    if error_code == NOT_OFFERED:
        return grpc.StatusCode.UNIMPLEMENTED
    return CODES.get(status, grpc.StatusCode.INVALID_ARGUMENT if status < 500 else grpc.StatusCode.INTERNAL)


def call_scope(path: str, context: Any, scheme: str) -> Scope:
    """Return the scope of a call."""
    metadata = context.invocation_metadata() or ()
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "2",
        "method": "POST",
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.encode(), value.encode("latin-1"))
            for name, value in metadata
            if isinstance(value, str) and name not in FRAMING
        ],
        "client": client_address(context.peer()),
        "server": None,
    }


def client_address(peer: str) -> tuple[str, int] | None:
    """Return the address of a peer such as `ipv4:127.0.0.1:52000` or `ipv6:%5B::1%5D:52000`; None for another."""
    family, _, address = unquote(peer).partition(":")
    host, _, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if family in ("ipv4", "ipv6") and port.isdecimal() else None


async def _receive(contents: list[bytes]) -> Message:
    """Return the whole body, once."""
    return {"type": "http.request", "body": contents.pop(), "more_body": False}
