"""
API keys: the file of their digests, which is read again whenever it changes.

The file has one key per line, `name scope digest`: the digest is the SHA-256 of the key, in hexadecimal. A key is
looked up by its digest. That takes the same time however much of a guess is right, because a guess that is nearly a key
has a digest unlike the key's. A slow or salted hash would add nothing: `new_key` draws 256 bits, which nobody can guess
or list beforehand, and a password hash would cost each request milliseconds.
"""

from __future__ import annotations

import re
import secrets
import stat
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, get_args

import structlog

from app.errors import StartupError
from app.times import now

log = structlog.get_logger(__name__)

KeyScope: TypeAlias = Literal["inference", "control"]
"""The requests that a key allows: those that run models, or those that load, unload and reload them."""
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)

KEY_PREFIX = "hg_"
"""The beginning of every new key, by which scanners for leaked secrets can recognise one."""
KEY_BYTES = 32
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_FILE_BYTES = 1024 * 1024
CHECK_SECONDS = 1.0
"""The file is looked at once in this time, at most: the system call takes about as long as the rest of the guard."""

Signature: TypeAlias = tuple[int, int, int] | None
"""The time of the last change, the size and the number of a file; None if it cannot be looked at."""


class Key(NamedTuple):
    """A key, without its secret."""

    name: str
    scope: KeyScope


class InvalidKeys(ValueError):
    """The file does not hold keys. The message never repeats a line, which could hold a key."""


def new_key() -> str:
    """Return a new key."""
    return KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)


def key_line(name: str, scope: KeyScope, key: str) -> str:
    """Return the line of a key for the file. Raises InvalidKeys for a name that the file cannot hold."""
    if not NAME.fullmatch(name):
        raise InvalidKeys(f"expected a name of at most 64 letters, digits and ._@-, got {name[:100]!r}")
    return f"{name} {scope} {sha256(key.encode()).hexdigest()}"


def parse_keys(text: str) -> dict[bytes, Key]:
    """
    Return the keys of a file by their digests. Raises InvalidKeys.

    Empty lines and lines that begin with # are ignored. A name may have several keys, so that one can be replaced.
    """
    keys: dict[bytes, Key] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 3:
            raise InvalidKeys(f"line {number}: expected a name, a scope and a digest, got {len(words)} words")
        name, scope, digest = words
        if not NAME.fullmatch(name):
            raise InvalidKeys(f"line {number}: expected a name of at most 64 letters, digits and ._@-")
        if scope not in SCOPES:
            raise InvalidKeys(f"line {number}: expected the scope inference or control")
        if not DIGEST.fullmatch(digest):
            raise InvalidKeys(f"line {number}: expected the SHA-256 of the key, in 64 lower-case hexadecimal digits")
        keys[bytes.fromhex(digest)] = Key(name, scope)
    if not keys:
        raise InvalidKeys("expected at least one key, got none")
    return keys


class KeyFile:
    """The keys of a file. A change of the file counts within CHECK_SECONDS; a broken file changes nothing."""

    def __init__(self, path: Path, clock: Callable[[], float] = now) -> None:
        """Read the file. Raises StartupError if it does not hold keys."""
        self._path = path
        self._clock = clock
        self._next_check = clock() + CHECK_SECONDS
        self._signature = _signature(path)
        try:
            self._keys: Mapping[bytes, Key] = _read(path)
        except (OSError, InvalidKeys) as error:
            raise StartupError(f"HOURGLASS_KEYS_FILE: {path}: {_reason(error)}") from error

    def find(self, key: bytes) -> Key | None:
        """Return the key that these bytes are, or None."""
        if self._clock() >= self._next_check:
            self._check()
        return self._keys.get(sha256(key).digest())

    def _check(self) -> None:
        """Read the file again if it changed."""
        self._next_check = self._clock() + CHECK_SECONDS
        signature = _signature(self._path)
        if signature == self._signature:
            return
        self._signature = signature
        try:
            self._keys = _read(self._path)
        except (OSError, InvalidKeys) as error:
            log.error("keys not read, the earlier ones stay", file=str(self._path), reason=_reason(error))
        else:
            log.info("keys read again", file=str(self._path), keys=len(self._keys))


def _read(path: Path) -> dict[bytes, Key]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidKeys("expected a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise InvalidKeys(f"expected at most {MAX_FILE_BYTES} bytes, got {status.st_size}")
    try:
        return parse_keys(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidKeys("expected UTF-8") from error


def _signature(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _reason(error: OSError | InvalidKeys) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
