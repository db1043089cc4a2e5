"""Reading files of the model repository: only regular files, and no more bytes than are expected."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

CHUNK_BYTES = 1024 * 1024


def regular_size(path: Path) -> int:
    """Return the size of a file. Raises OSError unless it is a regular one: opening a named pipe may wait for ever."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return status.st_size


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file. Raises OSError if it is not a regular file or has more bytes than the limit."""
    _check_size(path, regular_size(path), max_bytes)
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    _check_size(path, len(content), max_bytes)
    return content


def list_folder(folder: Path) -> list[Path]:
    """Return the sorted entries of a folder, except hidden ones. Raises OSError unless all of them can be opened."""
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not os.access(folder, os.X_OK):  # its names can be read, and nothing behind them
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    return entries


def read_problem(error: OSError) -> str:
    """Return the end of a sentence about a file or folder that cannot be read, with the user if it is the reason."""
    user = f" by user {os.getuid()}" if isinstance(error, PermissionError) and hasattr(os, "getuid") else ""
    return f"cannot be read{user}: {error.strerror}"


def hash_file(path: Path, max_bytes: int | None = None) -> tuple[str, int]:
    """Return the SHA-256 of a file, in hexadecimal digits, and its bytes. Raises OSError as `read_file` does."""
    _check_size(path, regular_size(path), max_bytes)
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            size += len(chunk)
            _check_size(path, size, max_bytes)
            digest.update(chunk)
    return digest.hexdigest(), size


def irregular_files(folder: Path) -> list[Path]:
    """Return what lies in a folder, at any depth, and is neither a regular file nor a folder, such as a named pipe."""
    found = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            with suppress(PermissionError):  # whoever reads it will report that
                if path.exists() and not path.is_file():
                    found.append(path)
    return found


def _check_size(path: Path, size: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size > max_bytes:
        raise OSError(errno.EFBIG, f"expected at most {max_bytes} bytes, got {size} or more", str(path))
