"""Only the pages of listed origins may read answers."""

from __future__ import annotations

import pytest

from app.server.guard.cors import Cors

ORIGIN = b"https://app.example.com"
PREFLIGHT = {b"origin": ORIGIN, b"access-control-request-method": b"POST"}


def test_an_allowed_origin_is_repeated() -> None:
    headers = dict(Cors(["https://APP.example.com"]).headers(ORIGIN))
    assert headers[b"access-control-allow-origin"] == ORIGIN
    assert b"X-Request-ID" in headers[b"access-control-expose-headers"]
    assert headers[b"vary"] == b"Origin"
    assert b"access-control-allow-credentials" not in headers


@pytest.mark.parametrize("origin", [None, b"null", b"https://app.example.com.evil.org", b"http://app.example.com", b""])
def test_other_origins_get_nothing_but_vary(origin: bytes | None) -> None:
    assert Cors(["https://app.example.com"]).headers(origin) == [(b"vary", b"Origin")]


@pytest.mark.parametrize("origin", [None, b"null", ORIGIN])
def test_a_star_allows_every_origin(origin: bytes | None) -> None:
    headers = dict(Cors(["*"]).headers(origin))
    assert headers[b"access-control-allow-origin"] == b"*"
    assert b"vary" not in headers


@pytest.mark.parametrize(
    ("method", "headers", "preflight"),
    [
        ("OPTIONS", PREFLIGHT, True),
        ("POST", PREFLIGHT, False),
        ("OPTIONS", {b"origin": ORIGIN}, False),
        ("OPTIONS", PREFLIGHT | {b"origin": b"https://evil.example.org"}, False),
    ],
)
def test_a_preflight_asks_for_a_listed_page(method: str, headers: dict[bytes, bytes], preflight: bool) -> None:
    assert Cors(["https://app.example.com"]).is_preflight(method, headers) == preflight
