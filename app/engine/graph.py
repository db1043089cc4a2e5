"""A graph that only one task needs: its session is open while it is checked, and once a request needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal

import onnxruntime

from app.engine.kept_file import KeptFile
from app.engine.session import TensorSpec, check_signature, open_session
from app.manifest import FileDigest

GraphTask = Literal["denoise", "generate", "score"]
"""The tasks that may have a graph of their own."""


class Graph:
    """
    A file that stays open, and the session that runs it.

    A session takes several times the memory of its file: weights of 8 or 16 bits become float32. So whoever has checked
    a graph closes the session again, and only what requests ask for takes memory. Methods are safe to call from several
    threads at once, but for `plain`.
    """

    def __init__(self, path: Path, digest: FileDigest, threads: int = 1) -> None:
        self._file, self._threads = KeptFile(path, digest), threads
        self._inputs: Sequence[TensorSpec] = ()
        self._outputs: Sequence[TensorSpec] = ()
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

    @contextmanager
    def plain(self) -> Iterator[None]:
        """
        Open the graph as it is stored, without onnxruntime's optimisation, and close it at the end.

        That takes a third of the time and half of the memory, for the few runs of a check. Raises InvalidModel.
        """
        self._session = self._open(optimise=False)
        try:
            yield
        finally:
            self.close()

    def _open(self, *, optimise: bool = True) -> onnxruntime.InferenceSession:
        session = open_session(self._file.read(), self._threads, self._file.path, optimise=optimise)
        check_signature(session, self._inputs, self._outputs)
        return session
