"""A graph that only one task needs: its session is open while it is checked, and once a request needs it."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Literal

import onnxruntime

from app.engine.session import TensorSpec, check_signature, open_session
from app.errors import InvalidModel
from app.files import read_problem
from app.manifest import FileDigest

GraphTask = Literal["denoise", "generate", "score"]
"""The tasks that may have a graph of their own."""


class Graph:
    """
    A file that stays open, and the session that runs it.

    A session takes several times the memory of its file: weights of 8 or 16 bits become float32. So whoever has checked
    a graph closes the session again, and only what requests ask for takes memory. The file may be removed or replaced
    meanwhile; if it is overwritten, its checksum tells. Methods are safe to call from several threads at once.
    """

    def __init__(self, path: Path, digest: FileDigest, threads: int = 1) -> None:
        self._path, self._digest, self._threads = path, digest, threads
        self._inputs: Sequence[TensorSpec] = ()
        self._outputs: Sequence[TensorSpec] = ()
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)
        self._session: onnxruntime.InferenceSession | None = None
        self._opening = Lock()

    def expect(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        """Name the tensors that the graph must take and give. Opening it checks them."""
        self._inputs, self._outputs = inputs, outputs

    def open(self) -> onnxruntime.InferenceSession:
        """Return the session. Raises InvalidModel."""
        session = self._session
        if session is None:
            with self._opening:
                session = self._session = self._session or self._open()
        return session

    def close(self) -> None:
        """Free the session once no run needs it. The next run opens another one."""
        self._session = None

    def _open(self) -> onnxruntime.InferenceSession:
        session = open_session(self._read(), self._threads, self._path)
        check_signature(session, self._inputs, self._outputs)
        return session

    def _read(self) -> bytes:
        """Return the content of the file, which must be that of the manifest. Raises InvalidModel."""
        try:
            with open(self._file, "rb", closefd=False) as file:
                file.seek(0)
                content = file.read(self._digest.bytes + 1)
        except OSError as error:
            raise InvalidModel(f"{self._path.name} {read_problem(error)}") from error
        if hashlib.sha256(content).hexdigest() != self._digest.sha256:
            raise InvalidModel(f"{self._path.name} is not the file that the manifest names: it was overwritten")
        return content
