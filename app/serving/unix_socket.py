"""
A Unix socket to listen on: bound in place of a file that a dead process left behind, and removed at the end.

A lock beside the socket shows that its server lives, also before it listens: a connection would be refused then, as it
is by the file of a dead process.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from app.errors import StartupError

MODE = 0o666
"""Everyone may connect who may enter the folder: proxies usually run as another user."""
TAKEN = "another server listens there"
LIVENESS_SECONDS = 1.0
"""The time for a connection to the socket of another program, whose queue may be full."""


class UnixSocket:
    """A Unix socket, and the lock that its server holds."""

    def __init__(self, path: Path) -> None:
        """Bind the socket; connections are refused until someone listens on it. Raises StartupError."""
        self._path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._lock: int | None = None
        self.listener = socket.socket(socket.AF_UNIX)
        try:
            self._lock = _lock(self._lock_path)
            _remove_stale(path)
            self.listener.bind(str(path))
            path.chmod(MODE)
        except OSError as error:
            self.listener.close()
            self._unlock()
            reason = error.strerror or str(error)
            raise StartupError(f"cannot listen on {path}: {reason}; HOURGLASS_UDS sets it") from error

    def remove(self) -> None:
        """Remove the file, so that nobody new connects. Connections that the kernel has accepted stay."""
        if self._lock is not None:
            self._path.unlink(missing_ok=True)
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock_path.unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None


def _lock(path: Path) -> int:
    """Return an open file that only this process has locked. Raises OSError."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise OSError(TAKEN) from error
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        os.close(lock)  # its holder removed it in the meantime


def _remove_stale(path: Path) -> None:
    """Remove the socket of a dead process, if there is one. Raises OSError for anything else."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError("the file is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(LIVENESS_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(TAKEN)
