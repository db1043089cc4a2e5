"""Bodies are read whole, decompressed, and bounded."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.request_body import read_body, read_decompressed
from app.api.state import State
from app.engine.repository import load_version
from app.errors import BodyTooLarge, DecompressedTooLarge, MalformedBody
from app.main import create_app
from app.server.gate import Exchange, Gate
from app.server.lifecycle import Lifecycle
from app.settings import Settings
from tests.helpers.applications import state_over


@pytest.fixture(scope="module")
def state(tiny_models: Path) -> Iterator[State]:
    """Give a state with limits of 40 bytes, and of 100 once decompressed."""
    model = load_version(tiny_models / "tiny-ae" / "1", "tiny-ae", 1)
    state = state_over(model, max_body_bytes=40, max_decompressed_bytes=100)
    yield state
    state.close()


def read(state: State, *messages: dict[str, Any], **headers: str) -> bytes:
    """Read the body of these ASGI messages."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", **waiting.pop(0)}

    async def send(_: object) -> None:
        raise AssertionError("nothing is sent")

    async def app(*_: object) -> None:
        raise AssertionError("nothing is called")

    names = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    exchange = Exchange({"headers": names}, send, Gate(app, lambda *_: None, Lifecycle(), budget=state.budget))
    try:
        return asyncio.run(read_body(receive, exchange, state))
    finally:
        exchange.hold(0)


def chunk(content: bytes, more: bool = True) -> dict[str, Any]:
    """Return a part of a body."""
    return {"body": content, "more_body": more}


def test_the_parts_of_a_body_are_joined(state: State) -> None:
    assert read(state, chunk(b"one", more=False)) == b"one"
    assert read(state, chunk(b"one"), chunk(b""), chunk(b"two", more=False)) == b"onetwo"
    assert read(state, {}) == b""


def test_a_body_as_large_as_the_limit_is_read(state: State) -> None:
    assert read(state, chunk(b"x" * 40, more=False), content_length="40") == b"x" * 40


def test_a_body_above_the_limit_is_refused_before_it_is_read(state: State) -> None:
    with pytest.raises(BodyTooLarge, match="at most 40 bytes, got 41"):
        read(state, content_length="41")


@pytest.mark.parametrize("parts", [[b"x" * 41], [b"x" * 20, b"x" * 21], [b"x" * 20, b"x" * 20, b"x"]])
def test_a_body_without_a_length_is_bounded_too(state: State, parts: list[bytes]) -> None:
    with pytest.raises(BodyTooLarge, match="at most 40 bytes, got more"):
        read(state, *map(chunk, parts))


@pytest.mark.parametrize("parts", [[], [b"x"]])
def test_a_body_that_ends_with_a_disconnect_is_malformed(state: State, parts: list[bytes]) -> None:
    with pytest.raises(MalformedBody, match="the connection ended before the body did"):
        read(state, *map(chunk, parts), {"type": "http.disconnect"})


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_decompressed(state: State, encoding: str) -> None:
    content = (gzip if encoding == "gzip" else zlib).compress(b"x" * 100)
    assert read_decompressed(content, encoding.encode(), state, len) == 100
    with pytest.raises(DecompressedTooLarge):
        read_decompressed(gzip.compress(b"x" * 101), b"gzip", state, len)
    assert state.budget.total == 0


@pytest.mark.parametrize("path", ["/v1/models/tiny-ae/encode", "/v2/models/tiny-ae.encode/infer"])
def test_both_protocols_bound_their_bodies(client: TestClient, path: str) -> None:
    for content in (bytes(4097), (b" " * 1000 for _ in range(6))):
        answer = client.post(path, content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


@pytest.mark.parametrize("path", ["/v1/models/tiny-ae/encode", "/v2/models/tiny-ae.encode/infer"])
def test_compressed_bodies_are_bounded_and_checked(tiny_models: Path, path: str) -> None:
    settings = Settings(models_dir=tiny_models, max_decompressed_bytes=1000)
    with TestClient(create_app(settings)) as client:
        cases = [
            (gzip.compress(bytes(1001)), "gzip", 413, "decompressed-too-large"),
            (zlib.compress(bytes(10**8)), "deflate", 413, "decompressed-too-large"),
            (gzip.compress(b"{}")[:-1], "gzip", 400, "malformed-body"),
            (b"{}", "gzip", 400, "malformed-body"),
            (b"{}", "br", 415, "unsupported-encoding"),
        ]
        for content, encoding, status, code in cases:
            answer = client.post(path, content=content, headers={"content-encoding": encoding})
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["accept-encoding"] == "gzip, deflate"
