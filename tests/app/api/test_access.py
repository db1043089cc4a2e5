"""The settings become the policy of the guard."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.api.access import grpc_policy, read_policy
from app.errors import MisdirectedRequest, StartupError
from app.server.guard.keys import key_line
from app.settings import Settings


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    """Write a file with one key."""
    path = tmp_path / "keys"
    path.write_text(key_line("alice", "inference", "hg_secret"))
    return path


def test_nothing_is_closed_by_default() -> None:
    policy = read_policy(Settings(host="0.0.0.0"))
    assert (policy.keys, policy.rate_limits, policy.hosts, policy.cors, policy.root_path) == (
        None,
        None,
        None,
        None,
        "",
    )
    assert policy.open_docs
    assert policy.open_metrics


@pytest.mark.parametrize(
    ("setting", "is_open"), [({}, False), ({"open_docs": True, "open_metrics": True}, True)], ids=["default", "open"]
)
def test_keys_close_docs_and_metrics_unless_set(keys_file: Path, setting: dict[str, bool], is_open: bool) -> None:
    policy = read_policy(Settings(keys_file=keys_file, **setting))  # type: ignore[arg-type]
    assert policy.keys is not None
    assert policy.keys.find(b"hg_secret")
    assert (policy.open_docs, policy.open_metrics) == (is_open, is_open)


def test_a_broken_keys_file_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="HOURGLASS_KEYS_FILE"):
        read_policy(Settings(keys_file=tmp_path / "absent"))


@pytest.mark.parametrize(
    ("host", "allowed_hosts", "name", "allowed"),
    [
        ("127.0.0.1", "", b"evil.example.org", False),
        ("127.0.0.1", "", b"localhost:8000", True),
        ("0.0.0.0", "", b"evil.example.org", True),
        ("0.0.0.0", "api.example.com, b.example.com", b"b.example.com", True),
        ("0.0.0.0", "api.example.com, b.example.com", b"evil.example.org", False),
        ("127.0.0.1", "*", b"evil.example.org", True),
    ],
)
def test_hosts_depend_on_the_address_and_on_the_list(host: str, allowed_hosts: str, name: bytes, allowed: bool) -> None:
    hosts = read_policy(Settings(host=host, allowed_hosts=allowed_hosts)).hosts
    if allowed:
        assert hosts is None or hosts.check(name) is None  # type: ignore[func-returns-value]
    else:
        assert hosts is not None
        with pytest.raises(MisdirectedRequest):
            hosts.check(name)


def test_limits_and_origins_are_read() -> None:
    policy = read_policy(Settings(rate_limit="100/second; 5/day", cors_origins="https://a.example, http://b:8080"))
    assert policy.rate_limits is not None
    assert policy.cors is not None
    assert [policy.cors.allows(origin) for origin in (b"https://a.example", b"http://b:8080", b"http://b")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("rate_limit", "100"),
        ("rate_limit", "0/second"),
        ("rate_limit", "1/fortnight"),
        ("cors_origins", "app.example.com"),
        ("cors_origins", "https://app.example.com/"),
        ("allowed_hosts", "http://api.example.com"),
        ("allowed_hosts", "api.example.com:443"),
        ("root_path", "hourglass"),
        ("root_path", "/hourglass/"),
        ("root_path", "/a b"),
    ],
)
def test_an_impossible_setting_is_refused_in_words(setting: str, value: str) -> None:
    with pytest.raises(ValidationError, match="expected "):
        Settings(**{setting: value})  # type: ignore[arg-type]


def test_grpc_has_the_keys_and_the_rate_limits_of_http(keys_file: Path) -> None:
    settings = Settings(keys_file=keys_file, rate_limit="1/hour", allowed_hosts="a.example", root_path="/a")
    policy = read_policy(settings)
    grpc = grpc_policy(policy)
    assert grpc.keys is policy.keys
    assert grpc.rate_limits is policy.rate_limits
    assert (grpc.hosts, grpc.cors, grpc.root_path) == (None, None, "")


def test_every_host_is_allowed_on_a_unix_socket() -> None:
    assert read_policy(Settings()).hosts is not None
    assert read_policy(Settings(uds=Path("socket"))).hosts is None
    assert read_policy(Settings(uds=Path("socket"), allowed_hosts="a.example")).hosts is not None
