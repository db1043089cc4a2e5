"""Keys are found by their digests, and the file is read again when it changes."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.errors import StartupError
from app.server.guard.keys import CHECK_SECONDS, InvalidKeys, Key, KeyFile, key_line, new_key, parse_keys

ALICE, BOB = "hg_alice", "hg_bob"
DIGEST = sha256(ALICE.encode()).hexdigest()


class Clock:
    """A clock that a test moves."""

    time = 0.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        return self.time


def write(path: Path, *lines: str) -> None:
    """Write a keys file in place of another, as Kubernetes does."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"{line}\n" for line in lines))
    new.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file with the key of alice."""
    path = tmp_path / "keys"
    write(path, "# who may ask", "", key_line("alice", "inference", ALICE))
    return path


def test_new_keys_are_long_and_different() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {len("hg_") + 43}  # 256 bits in base 64


def test_the_line_of_a_key_has_its_digest_and_not_the_key() -> None:
    key = new_key()
    line = key_line("alice", "control", key)
    assert line == f"alice control {sha256(key.encode()).hexdigest()}"
    assert parse_keys(line) == {sha256(key.encode()).digest(): Key("alice", "control")}


@pytest.mark.parametrize("name", ["", "a b", "-a", "a\n", "a" * 65, "\u00e9"])
def test_a_name_that_the_file_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidKeys, match="expected a name"):
        key_line(name, "inference", ALICE)


def test_a_name_may_have_two_keys_while_one_is_replaced() -> None:
    keys = parse_keys("\n".join(key_line("alice", "inference", key) for key in (ALICE, BOB)))
    assert list(keys.values()) == [Key("alice", "inference")] * 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "at least one key"),
        ("# only a comment", "at least one key"),
        (f"\nalice inference {DIGEST} more", "line 2: expected a name, a scope and a digest, got 4 words"),
        (ALICE, "line 1: expected a name, a scope and a digest, got 1 words"),
        (f"alice admin {DIGEST}", "line 1: expected the scope inference or control"),
        (f"al/ice inference {DIGEST}", "line 1: expected a name"),
        ("alice inference hg_secret", "line 1: expected the SHA-256"),
        (f"alice inference {DIGEST.upper()}", "line 1: expected the SHA-256"),
    ],
)
def test_a_file_without_valid_keys_is_refused_and_never_repeated(text: str, reason: str) -> None:
    with pytest.raises(InvalidKeys, match=reason) as caught:
        parse_keys(text)
    assert "hg_" not in str(caught.value)


def test_a_key_is_found_by_its_digest(path: Path) -> None:
    keys = KeyFile(path)
    assert keys.find(ALICE.encode()) == Key("alice", "inference")
    for other in (BOB, ALICE[:-1], ALICE + " ", "", DIGEST):
        assert keys.find(other.encode()) is None
    assert keys.find(b"\xff\x00") is None


def test_a_changed_file_is_read_again_within_the_time(path: Path) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    write(path, key_line("bob", "control", BOB))
    assert keys.find(ALICE.encode())
    clock.time += CHECK_SECONDS
    with capture_logs() as lines:
        assert keys.find(ALICE.encode()) is None
        assert keys.find(BOB.encode()) == Key("bob", "control")
    assert [(line["event"], line["keys"]) for line in lines] == [("keys read again", 1)]


def test_a_file_that_stays_is_not_read_again(path: Path) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    os.utime(path, ns=(0, path.stat().st_mtime_ns))
    clock.time += CHECK_SECONDS
    with capture_logs() as lines:
        assert keys.find(ALICE.encode())
    assert lines == []


@pytest.mark.parametrize("damage", ["empty", "torn", "absent", "folder", "binary", "large"])
def test_a_broken_file_keeps_the_earlier_keys_and_logs_one_line(path: Path, damage: str) -> None:
    clock = Clock()
    keys = KeyFile(path, clock)
    if damage in ("empty", "torn"):
        write(path, *([f"bob inference {DIGEST[:20]}"] if damage == "torn" else []))
    elif damage == "binary":
        path.write_bytes(b"\xff\xfe")
    elif damage == "large":
        path.write_bytes(b"#" * (1024 * 1024 + 1))
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    with capture_logs() as lines:
        for _ in range(3):
            clock.time += CHECK_SECONDS
            assert keys.find(ALICE.encode()) == Key("alice", "inference")
    assert [(line["event"], line["log_level"]) for line in lines] == [("keys not read, the earlier ones stay", "error")]
    if damage != "folder":
        write(path, key_line("bob", "inference", BOB))
        clock.time += CHECK_SECONDS
        assert keys.find(ALICE.encode()) is None
        assert keys.find(BOB.encode())


def test_the_server_does_not_start_with_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"HOURGLASS_KEYS_FILE: .*absent: No such file or directory"):
        KeyFile(tmp_path / "absent")
    write(tmp_path / "keys", "alice")
    with pytest.raises(StartupError, match="line 1"):
        KeyFile(tmp_path / "keys")
