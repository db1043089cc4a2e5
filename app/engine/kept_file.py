"""A file of a version that stays open, for what is read again while the version is served."""

from __future__ import annotations

import hashlib
import os
import weakref
from pathlib import Path

from app.errors import InvalidModel
from app.files import read_problem
from app.manifest import FileDigest


class KeptFile:
    """
    A file that may be removed or replaced while it is in use; if it is overwritten, its checksum tells.

    It is read by one thread at a time.
    """

    def __init__(self, path: Path, digest: FileDigest) -> None:
        self.path, self._digest = path, digest
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def read(self) -> bytes:
        """Return the content of the file, which must be that of the manifest. Raises InvalidModel."""
        try:
            with open(self._file, "rb", closefd=False) as file:
                file.seek(0)
                content = file.read(self._digest.bytes + 1)
        except OSError as error:
            raise InvalidModel(f"{self.path.name} {read_problem(error)}") from error
        if hashlib.sha256(content).hexdigest() != self._digest.sha256:
            raise InvalidModel(f"{self.path.name} is not the file that the manifest names: it was overwritten")
        return content
