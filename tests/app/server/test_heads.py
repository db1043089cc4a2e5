"""Heads of requests, checked as RFC 9110 and RFC 9112 say."""

from __future__ import annotations

import pytest

from app.errors import MalformedRequest, ServiceError
from app.server.heads import Headers, check_head, head_too_large, head_without_offer, origin_form, refusal
from app.server.refusals import HeadTooLarge, TargetTooLong, UnsupportedTransferCoding, UnsupportedVersion

HOST = (b"host", b"here:8000")


@pytest.mark.parametrize(
    ("version", "headers"),
    [
        ("1.1", [HOST]),
        ("1.0", [HOST]),
        ("1.0", []),
        ("1.1", [(b"host", b"")]),
        ("1.1", [(b"host", b"[::1]:80")]),
        ("1.1", [HOST, (b"transfer-encoding", b"Chunked")]),
        ("1.1", [HOST, (b"content-length", b"18446744073709551615")]),
    ],
)
def test_valid_heads_pass(version: str, headers: Headers) -> None:
    check_head(version, headers, max_headers=2)


@pytest.mark.parametrize(
    ("version", "headers", "error"),
    [
        ("0.9", [HOST], UnsupportedVersion),
        ("2.0", [HOST], UnsupportedVersion),
        ("1.1", [HOST, HOST, HOST], HeadTooLarge),
        ("1.1", [], MalformedRequest),
        ("1.1", [HOST, HOST], MalformedRequest),
        ("1.0", [HOST, HOST], MalformedRequest),
        ("1.1", [(b"host", b"a b")], MalformedRequest),
        ("1.1", [(b"host", b"a/b")], MalformedRequest),
        ("1.1", [(b"host", b"a@b")], MalformedRequest),
        ("1.1", [(b"host", b"a, b\xff")], MalformedRequest),
        ("1.1", [HOST, (b"transfer-encoding", b"gzip")], UnsupportedTransferCoding),
        ("1.1", [HOST, (b"transfer-encoding", b"gzip, chunked")], UnsupportedTransferCoding),
        ("1.0", [HOST, (b"transfer-encoding", b"chunked")], MalformedRequest),
        ("1.1", [HOST, (b"content-length", b"0" * 4301)], MalformedRequest),
    ],
)
def test_heads_that_break_a_rule_are_refused(version: str, headers: Headers, error: type[ServiceError]) -> None:
    with pytest.raises(error):
        check_head(version, headers, max_headers=2)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://there/livez?a=b", b"/livez?a=b"),
        (b"HTTPS://there", b"/"),
        (b"http://there?a=b", b"/?a=b"),
    ],
)
def test_the_host_of_an_absolute_target_replaces_the_header(target: bytes, path: bytes) -> None:
    headers = [(b"accept", b"*/*"), HOST]
    assert origin_form(target, b"GET", headers) == (path, [(b"host", b"there"), (b"accept", b"*/*")])


def test_options_of_the_whole_server_stay() -> None:
    assert origin_form(b"*", b"OPTIONS", [HOST]) == (b"*", [HOST])


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"GET", b"*"),
        (b"GET", b"ftp://there/livez"),
        (b"GET", b"http://user@there/livez"),
        (b"CONNECT", b"there:443"),
        (b"CONNECT", b"http://there/livez"),
    ],
)
def test_other_targets_are_refused(method: bytes, target: bytes) -> None:
    with pytest.raises(MalformedRequest, match="begins with / or http://"):
        origin_form(target, method, [HOST])


def test_a_head_without_an_end_is_too_long_or_too_large() -> None:
    assert isinstance(head_too_large(b"/" * 60, [], 100), TargetTooLong)
    assert isinstance(head_too_large(b"/" * 60, [HOST], 100), HeadTooLarge)
    assert isinstance(head_too_large(b"/" * 40, None, 100), HeadTooLarge)


def test_a_refusal_has_the_cause_or_the_reason_of_the_parser() -> None:
    error = RuntimeError("Invalid method encountered")
    assert refusal(error).detail == "expected an HTTP request, but: Invalid method encountered"
    error.__context__ = ValueError("the whole request")
    assert refusal(error).detail == "expected an HTTP request, but: it cannot be parsed"
    error.__context__ = HeadTooLarge("too large")
    assert refusal(error) is error.__context__


def test_an_offer_is_taken_out_of_the_head() -> None:
    headers = [
        HOST,
        (b"connection", b"Upgrade, HTTP2-Settings, keep-alive"),
        (b"upgrade", b"h2c"),
        (b"content-length", b"3"),
    ]
    head = head_without_offer(b"POST", b"/a?b", "1.1", headers)
    assert head == b"POST /a?b HTTP/1.1\r\nhost: here:8000\r\nconnection: keep-alive\r\ncontent-length: 3\r\n\r\n"
