"""Cross-origin resource sharing: pages of other hosts that may use the server from a browser (Fetch, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Headers = list[tuple[bytes, bytes]]

ANY = "*"
PREFLIGHT_SECONDS = 7200
"""The time for which a browser may remember the answer to a preflight; Chromium allows no more."""
PREFLIGHT_HEADERS: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST"),
    (
        b"access-control-allow-headers",
        b"Accept, Authorization, Content-Encoding, Content-Type, Inference-Header-Content-Length, X-API-Key, "
        b"X-Request-ID, traceparent, tracestate",
    ),
    (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
]
EXPOSED = (
    b"access-control-expose-headers",
    b"Inference-Header-Content-Length, RateLimit, RateLimit-Policy, Retry-After, Server-Timing, "
    b"X-Clipped-Numbers, X-Filled-Numbers, X-Request-ID, X-Seed, traceresponse",
)
VARY = (b"vary", b"Origin")


class Cors:
    """The origins, such as `https://app.example.com`, whose pages may read answers; `*` stands for all."""

    def __init__(self, origins: Iterable[str]) -> None:
        names = [origin.lower() for origin in origins]
        self._any = ANY in names
        self._origins = frozenset(name.encode() for name in names)

    def allows(self, origin: bytes) -> bool:
        """Return True if the pages of an origin may read answers."""
        return self._any or origin in self._origins

    def headers(self, origin: bytes | None) -> Headers:
        """Return the headers of every answer to a request with this Origin, or with none."""
        if self._any:
            return [(b"access-control-allow-origin", b"*"), EXPOSED]
        if origin is None or origin not in self._origins:
            return [VARY]
        return [(b"access-control-allow-origin", origin), EXPOSED, VARY]

    def is_preflight(self, method: str, headers: Mapping[bytes, bytes]) -> bool:
        """Return True if a browser asks for an allowed page whether it may send another request."""
        return (
            method == "OPTIONS"
            and b"access-control-request-method" in headers
            and self.allows(headers.get(b"origin", b""))
        )
