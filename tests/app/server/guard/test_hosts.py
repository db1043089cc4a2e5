"""The server answers for its own names, and not for those of a page that points its name to it."""

from __future__ import annotations

import pytest

from app.errors import MisdirectedRequest
from app.server.guard.hosts import AllowedHosts, is_loopback


def allows(hosts: AllowedHosts, host: bytes) -> bool:
    """Return True if a value of Host is allowed, twice alike."""

    def check() -> bool:
        try:
            hosts.check(host)
        except MisdirectedRequest:
            return False
        return True

    first = check()
    assert check() == first
    return first


ALWAYS = [b"localhost", b"LOCALHOST:80", b"app.localhost:8000", b"127.0.0.1:8000", b"10.1.2.3", b"[::1]:8000", b"[::1]"]
NEVER = [
    b"evil.example.org",
    b"evil.example.org:8000",
    b"127.0.0.1.evil.example.org",
    b"localhost.evil.example.org",
    b"a@evil.example.org",
    b"evil.example.org/localhost",
    b"localhost:x",
    b"localhost, evil.example.org",
    b"[evil.example.org]",
    b"\xff",
    b"a" * 300,
]


@pytest.mark.parametrize("host", [*ALWAYS, b"hourglass", b"hourglass:8000", b""])
def test_names_without_a_dot_are_allowed_where_none_are_listed(host: bytes) -> None:
    assert allows(AllowedHosts(), host)


@pytest.mark.parametrize("host", NEVER)
def test_other_names_are_refused_where_none_are_listed(host: bytes) -> None:
    assert not allows(AllowedHosts(), host)


LISTED = AllowedHosts(["api.example.com", "*.Example.net", "hourglass"])


@pytest.mark.parametrize(
    "host", [*ALWAYS, b"api.example.com", b"API.example.com:443", b"api.example.com.", b"a.b.example.net", b"hourglass"]
)
def test_listed_names_and_addresses_are_allowed(host: bytes) -> None:
    assert allows(LISTED, host)


@pytest.mark.parametrize(
    "host", [*NEVER, b"", b"other", b"example.com", b"x.api.example.com", b"example.net", b"badexample.net"]
)
def test_unlisted_names_are_refused(host: bytes) -> None:
    assert not allows(LISTED, host)


def test_the_error_names_the_setting_and_at_most_a_hundred_characters() -> None:
    with pytest.raises(MisdirectedRequest, match="HOURGLASS_ALLOWED_HOSTS") as caught:
        LISTED.check(b"x" * 5000)
    assert len(caught.value.detail) < 250


def test_many_allowed_names_take_no_memory() -> None:
    hosts = AllowedHosts()
    for number in range(2000):
        hosts.check(b"host-%d" % number)
    hosts.check(b"host-1")


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback_addresses_are_known(address: str, loopback: bool) -> None:
    assert is_loopback(address) == loopback
