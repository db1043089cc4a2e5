"""The attributes of spans are those of the semantic conventions, and bounded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.server.gate import Exchange, Gate
from app.server.lifecycle import Lifecycle
from app.server.traces.attributes import answer_attributes, error_type, request_attributes, span_name

ROUTE = "/v1/models/{model}/encode"


def scope(method: str = "POST", path: str = "/v1/models/a/encode", **headers: str) -> dict[str, Any]:
    """Return the ASGI scope of a request."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"method": method, "path": path, "scheme": "http", "http_version": "1.1", "headers": pairs}


async def send(_: object) -> None:
    """Send nothing."""


async def app(*_: object) -> None:
    """Answer nothing."""


def exchange_of(request: dict[str, Any], status: int = 200, **fields: Any) -> Exchange:
    """Return an exchange that ended with a status."""
    exchange = Exchange(request, send, Gate(app, lambda *_: None, Lifecycle()))
    vars(exchange).update(fields, status=status)
    return exchange


def test_a_request_has_the_attributes_of_the_conventions() -> None:
    request = scope(host="api.example.com:8000", user_agent="curl/8")
    assert request_attributes(request, dict(request["headers"])) == {
        "http.request.method": "POST",
        "url.path": "/v1/models/a/encode",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "api.example.com",
        "server.port": 8000,
        "user_agent.original": "curl/8",
    }


def test_a_method_that_http_does_not_have_is_other() -> None:
    attributes = request_attributes(scope("BREW"), {})
    assert attributes["http.request.method"] == "_OTHER"
    assert attributes["http.request.method_original"] == "BREW"
    assert span_name("BREW", "unknown") == "HTTP"


@pytest.mark.parametrize(
    ("scheme", "host", "address", "port"),
    [
        ("http", "localhost", "localhost", 80),
        ("https", "localhost", "localhost", 443),
        ("http", "[::1]:9000", "::1", 9000),
        ("http", "a:0", "a", None),
        ("http", "a:65536", "a", None),
        ("http", "a:" + "9" * 100, "a", None),
        ("http", "a b", None, None),
        ("http", ":80", None, None),
        ("http", "", None, None),
        ("http", "a" * 300, None, None),
    ],
)
def test_the_server_is_the_one_of_the_host_header(
    scheme: str, host: str, address: str | None, port: int | None
) -> None:
    attributes = request_attributes(scope() | {"scheme": scheme}, {b"host": host.encode()})
    assert (attributes.get("server.address"), attributes.get("server.port")) == (address, port)


def test_no_attribute_is_longer_than_its_bound() -> None:
    request = scope("M" * 5000, "/" + "a" * 60_000, user_agent="u" * 5000)
    values = request_attributes(request, dict(request["headers"])).values()
    assert max(len(value) for value in values if isinstance(value, str)) == 200


def test_an_answer_has_the_attributes_of_the_conventions_and_ours() -> None:
    request = scope(content_length="40", x_request_id="seven")
    model = SimpleNamespace(name="a", version=3)
    exchange = exchange_of(request, bytes_out=25, route=ROUTE, task="encode", model=model, rows=2)
    assert answer_attributes(exchange) == {
        "http.request.body.size": 40,
        "http.response.body.size": 25,
        "http.response.status_code": 200,
        "http.route": ROUTE,
        "hourglass.request_id": "seven",
        "hourglass.task": "encode",
        "hourglass.model.name": "a",
        "hourglass.model.version": 3,
        "hourglass.rows": 2,
    }


def test_a_request_without_a_route_has_no_attributes_of_one() -> None:
    attributes = answer_attributes(
        exchange_of(scope(x_request_id="seven"), 404, route="unknown", error_code="not-found")
    )
    assert attributes == {
        "http.request.body.size": 0,
        "http.response.body.size": 0,
        "http.response.status_code": 404,
        "hourglass.request_id": "seven",
        "hourglass.error.code": "not-found",
    }


@pytest.mark.parametrize(("route", "name"), [(ROUTE, f"POST {ROUTE}"), ("unknown", "POST"), (None, "POST")])
def test_a_span_is_named_by_its_method_and_route(route: str | None, name: str) -> None:
    assert span_name("POST", route) == name


@pytest.mark.parametrize(
    ("status", "code", "raised", "expected"),
    [
        (200, None, None, None),
        (404, "unknown-model", None, None),
        (503, "overloaded", None, "overloaded"),
        (502, None, None, "502"),
        (499, None, None, "client-disconnected"),
        (200, None, BrokenPipeError(), "BrokenPipeError"),
    ],
)
def test_only_failures_of_the_server_and_of_the_connection_are_errors(
    status: int, code: str | None, raised: Exception | None, expected: str | None
) -> None:
    exchange = exchange_of(scope(), status, error_code=code)
    assert error_type(exchange, raised) == expected
    assert ("http.response.status_code" in answer_attributes(exchange)) == (status != 499)
