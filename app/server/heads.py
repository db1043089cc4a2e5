"""
Heads of requests: the rules of RFC 9110 and RFC 9112 that httptools leaves to the server.

httptools itself refuses a Content-Length beside a Transfer-Encoding, two of either, folded lines, bare CR or LF, a
space before a colon, and chunk sizes that are not plain hexadecimal numbers.
"""

from __future__ import annotations

import re
from functools import lru_cache

from app.errors import MalformedRequest, ServiceError
from app.server.refusals import HeadTooLarge, TargetTooLong, UnsupportedTransferCoding, UnsupportedVersion

Headers = list[tuple[bytes, bytes]]
"""Names in lower case, and values."""

VERSIONS = ("1.1", "1.0")
MAX_LENGTH_DIGITS = 20
"""Digits of a Content-Length. httptools takes more if they begin with zeros, and int() does not."""
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
"""A host and a port, or nothing. Source: RFC 9110, section 7.2; RFC 3986, section 3.2.2"""
ABSOLUTE_TARGET = re.compile(rb"https?://([^/?#]+)(.*)", re.IGNORECASE)
"""The host and the rest of an absolute target. `HOST` refuses a user name in it (RFC 9110, section 4.2.4)."""
OFFER_TOKENS = (b"upgrade", b"http2-settings")
"""Members of the header Connection that belong to an offer."""


def check_head(version: str, headers: Headers, max_headers: int) -> None:
    """
    Raise a ServiceError unless the head is that of an HTTP/1.0 or HTTP/1.1 request with one host and a plain body.

    Source: RFC 9112, sections 2.3, 3.2 and 6.1
    """
    if version not in VERSIONS:
        raise UnsupportedVersion(f"expected HTTP/1.1 or HTTP/1.0, got HTTP/{version}")
    if len(headers) > max_headers:
        raise HeadTooLarge(f"expected at most {max_headers} headers, got {len(headers)}")
    fields = dict(headers)
    host = fields.get(b"host")
    if host is not None:
        _check_host(host)
    if (host is None and version == "1.1") or (len(fields) < len(headers) and _count(headers, b"host") > 1):
        raise MalformedRequest(f"expected one header Host, got {_count(headers, b'host') or 'none'}")
    if len(fields.get(b"content-length", b"")) > MAX_LENGTH_DIGITS:
        raise MalformedRequest(f"expected a Content-Length of at most {MAX_LENGTH_DIGITS} digits")
    if b"transfer-encoding" in fields:
        _check_transfer_encoding(version, headers)


def origin_form(target: bytes, method: bytes, headers: Headers) -> tuple[bytes, Headers]:
    """
    Return the path and query of a target that does not begin with a slash, and the headers with the target's host.

    `OPTIONS *` stays as it is. Raises MalformedRequest. Source: RFC 9112, sections 3.2.2 to 3.2.4
    """
    if target == b"*" and method == b"OPTIONS":
        return target, headers
    match = ABSOLUTE_TARGET.fullmatch(target)
    if match is None or method == b"CONNECT" or HOST.fullmatch(match[1]) is None:
        raise MalformedRequest("expected a request target that begins with / or http://")
    path = match[2] if match[2].startswith(b"/") else b"/" + match[2]
    return path, [(b"host", match[1]), *(header for header in headers if header[0] != b"host")]


def head_without_offer(method: bytes, target: bytes, version: str, headers: Headers) -> bytes:
    """Return a head without its offer of another protocol, which a server may ignore (RFC 9110, section 7.8)."""
    lines = [b"%b %b HTTP/%b\r\n" % (method, target, version.encode())]
    for name, value in headers:
        if name == b"connection":
            tokens = [token.strip() for token in value.split(b",")]
            value = b", ".join(token for token in tokens if token.lower() not in OFFER_TOKENS)
        if name != b"upgrade":
            lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join([*lines, b"\r\n"])


def head_too_large(target: bytes, headers: Headers | None, limit: int) -> ServiceError:
    """Return the error for a head that does not end within the limit, given what is parsed of it."""
    if len(target) > limit // 2 and not headers:
        return TargetTooLong(f"expected a request target and headers of at most {limit} bytes, got more")
    return HeadTooLarge(f"expected headers of at most {limit} bytes, got more")


def refusal(error: Exception) -> ServiceError:
    """Return the ServiceError that made the parser fail, or one with the parser's own reason."""
    cause = error.__context__
    if isinstance(cause, ServiceError):
        return cause
    reason = "it cannot be parsed" if cause else error.args[0]  # other causes may repeat the request
    return MalformedRequest(f"expected an HTTP request, but: {reason}")


@lru_cache(maxsize=64)
def _check_host(value: bytes) -> None:
    if HOST.fullmatch(value) is None:
        raise MalformedRequest("expected the header Host to be a host and a port")


def _count(headers: Headers, name: bytes) -> int:
    return [header for header, _ in headers].count(name)


def _check_transfer_encoding(version: str, headers: Headers) -> None:
    if version == "1.0":
        raise MalformedRequest("expected no Transfer-Encoding, which HTTP/1.0 does not have")
    if [value.lower() for name, value in headers if name == b"transfer-encoding"] != [b"chunked"]:
        raise UnsupportedTransferCoding("expected a Transfer-Encoding of chunked, got another one")
