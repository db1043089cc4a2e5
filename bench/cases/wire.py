"""Requests in the exact bytes that clients send, and the server of the bundled models that answers them."""

from __future__ import annotations

import atexit
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from email.message import Message
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.cases.programs import server

ANSWER_SECONDS = 8
"""Seconds that an answer may take; then there is none."""
MODEL = "mnist-vae-2d"
"""A bundled model of images of 28x28 with two latents."""
BLACK = r"0\.73260\d*, ?-2\.90541\d*"
"""The latents of a black image, as onnxruntime gives them for the bundled graph."""


@cache
def bundled(**settings: str) -> str:
    """Serve the checkout's own models until this process ends, and return the address."""
    import app

    assert app.__file__ is not None
    return served(Path(app.__file__).parents[1] / "models", **settings)


def served(models_dir: Path, **settings: str) -> str:
    """Serve models until this process ends, and return the address."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(server(models_dir, **settings))


def ask(
    path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, address: str = "", method: str = ""
) -> tuple[int, Message, bytes]:
    """Return the status, the headers and the body of an answer, of the bundled models' server by default."""
    url = (address or bundled()) + path
    request = urllib.request.Request(
        url, body, dict(headers or {}), method=method or ("GET" if body is None else "POST")
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def described(status: int, headers: Message, body: bytes) -> str:
    """Return an answer in one line: the status, the media type and the text; of errors only the code and `error`."""
    text = body.decode(errors="replace")
    if status >= 400 and text.startswith("{"):
        document = json.loads(text)
        text = f"{document.get('code')}: {document.get('error')}"
    return f"{status} {headers.get('Content-Type')} {text}"


def asked(
    path: str, body: Any = None, headers: Mapping[str, str] | None = None, method: str = ""
) -> Callable[[Path], str]:
    """Return a trial with one request. A body that is not bytes is sent as JSON."""

    def trial(_: Path) -> str:
        content, named = body, dict(headers or {})
        if content is not None and not isinstance(content, bytes):
            content, named = json.dumps(content).encode(), {"Content-Type": "application/json", **named}
        return described(*ask(path, content, named, method=method))

    return trial


def raw(request: bytes) -> Callable[[Path], str]:
    """Return a trial that sends these bytes on a connection of their own, and describes the first answer."""

    def trial(_: Path) -> str:
        parts = urlsplit(bundled())
        began = time.monotonic()
        with socket.create_connection((parts.hostname, parts.port), timeout=ANSWER_SECONDS) as connection:
            try:
                connection.sendall(request)
                answer = http.client.HTTPResponse(connection)
                answer.begin()
                return described(answer.status, answer.headers, answer.read())
            except TimeoutError:
                return f"no answer in {time.monotonic() - began:.0f} s"
            except (ConnectionError, http.client.BadStatusLine) as error:
                return type(error).__name__

    return trial


def post(path: str, body: bytes, *lines: str, version: str = "HTTP/1.1", host: bool = True) -> bytes:
    """Return the bytes of a POST of JSON. The connection ends with the answer, unless the lines say otherwise."""
    head = [f"POST {path} {version}", *(["Host: 127.0.0.1"] if host else []), *lines]
    if not any(line.lower().startswith("connection:") for line in lines):
        head.append("Connection: close")
    head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body
