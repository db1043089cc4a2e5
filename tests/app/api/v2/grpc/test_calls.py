"""Calls of gRPC are requests of ASGI, and answers are messages or errors with a code."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.testing import capture_logs

from app import errors
from app.api.v2.grpc.calls import Calls, client_address, grpc_code
from app.api.v2.grpc.server import Handlers
from app.server.problems import problem_application
from app.server.refusals import RequestTimeout

PATH = "/test.Service/Method"


def ask(app: ASGIApp, metadata: tuple[tuple[str, str | bytes], ...] = (), tasks: set[Any] | None = None) -> Any:
    """Return the answer of an application to a call, and the trailing metadata. Raises grpc.RpcError."""

    async def held() -> tuple[bytes, dict[str, str]]:
        server = grpc.aio.server()
        calls = Calls(app, set() if tasks is None else tasks, "http")
        server.add_generic_rpc_handlers((Handlers({PATH: calls.unary(PATH)}),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                call = channel.unary_unary(PATH)(b"question", metadata=metadata, timeout=30)
                return await call, dict(await call.trailing_metadata())
        finally:
            await server.stop(0)

    return asyncio.run(held())


def test_an_application_gets_the_message_and_the_metadata() -> None:
    scopes: list[Scope] = []
    tasks: set[Any] = set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        assert asyncio.current_task() in tasks
        assert await receive() == {"type": "http.request", "body": b"question", "more_body": False}
        headers = [(b"x-request-id", b"seven"), (b"content-type", b"text/plain"), (b"content-length", b"6")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ans", "more_body": True})
        await send({"type": "http.response.body", "body": b"wer"})

    answer, trailing = ask(app, (("x-api-key", "secret"), ("picture-bin", b"\x00"), ("content-length", "5")), tasks)
    assert (answer, trailing) == (b"answer", {"x-request-id": "seven"})
    assert tasks == set()
    (scope,) = scopes
    assert (scope["method"], scope["path"], scope["http_version"]) == ("POST", PATH, "2")
    assert scope["client"][0] == "127.0.0.1"
    headers = dict(scope["headers"])
    assert headers[b"x-api-key"] == b"secret"
    assert not {b"picture-bin", b"content-length"} & headers.keys()


def test_a_problem_document_becomes_a_code_a_detail_and_metadata() -> None:
    app = problem_application(errors.WrongShape("expected rows", headers={"Retry-After": "1"}), b"id-1")
    with pytest.raises(grpc.RpcError) as caught:
        ask(app)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "expected rows"
    trailing = dict(caught.value.trailing_metadata())
    assert trailing == {"retry-after": "1", "x-request-id": "id-1", "error-code": "wrong-shape"}


def test_the_text_of_a_bug_stays_in_the_log() -> None:
    async def app(*_: object) -> None:
        raise ValueError("a secret")

    with pytest.raises(grpc.RpcError) as caught, capture_logs() as lines:
        ask(app)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)
    (line,) = lines
    assert (line["event"], str(line["exc_info"])) == ("unexpected exception", "a secret")


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:52000", ("127.0.0.1", 52000)),
        ("ipv6:%5B::1%5D:52000", ("::1", 52000)),
        ("unix:/run/socket", None),
        ("unknown", None),
    ],
)
def test_the_address_of_a_client_is_read(peer: str, address: tuple[str, int] | None) -> None:
    assert client_address(peer) == address


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MalformedBody, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.Unauthorized, grpc.StatusCode.UNAUTHENTICATED),
        (errors.Forbidden, grpc.StatusCode.PERMISSION_DENIED),
        (errors.Refused, grpc.StatusCode.UNIMPLEMENTED),
        (errors.UnknownModel, grpc.StatusCode.NOT_FOUND),
        (errors.LoadFailed, grpc.StatusCode.FAILED_PRECONDITION),
        (RequestTimeout, grpc.StatusCode.DEADLINE_EXCEEDED),
        (errors.TooManyRows, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.OutOfRange, grpc.StatusCode.INVALID_ARGUMENT),
        (errors.TooManyRequests, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.InternalError, grpc.StatusCode.INTERNAL),
        (errors.Overloaded, grpc.StatusCode.UNAVAILABLE),
        (errors.ShuttingDown, grpc.StatusCode.UNAVAILABLE),
        (errors.Expired, grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
)
def test_an_error_has_its_code(error: type[errors.ServiceError], code: grpc.StatusCode) -> None:
    assert grpc_code(error.status, error.code) is code
