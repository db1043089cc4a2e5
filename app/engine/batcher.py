"""What all queues share: the threads that run models, and the bound on the rows that wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from app.errors import Overloaded


class Batcher:
    """
    Threads for the runs of models, and a count of the accepted rows.

    onnxruntime releases the interpreter's lock while it runs, so the threads use several cores. Rows count from their
    acceptance until they are answered or their caller is gone. With `share=False` each request has its own runs. All
    methods are called on the event loop's thread.
    """

    def __init__(
        self, threads: int, max_queued_rows: int, queue_seconds: float = float("inf"), *, share: bool = True
    ) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self.queue_seconds = queue_seconds
        """The longest wait for a run."""
        self.share = share
        self.one_core = threads == 1
        self._max_rows = max_queued_rows
        self._rows = 0

    def admit(self, rows: int) -> None:
        """
        Accept rows of a request.

        Raises Overloaded if the rows that wait would exceed the limit. If nothing waits, any request is accepted.
        """
        if self._rows and self._rows + rows > self._max_rows:
            raise Overloaded(
                f"{self._rows} rows are waiting and at most {self._max_rows} may; send the request again later",
                headers={"Retry-After": "1"},
            )
        self._rows += rows

    def release(self, rows: int) -> None:
        """Stop counting rows that are answered or abandoned."""
        self._rows -= rows

    def close(self) -> None:
        """Finish the accepted runs, then end the threads."""
        self.pool.shutdown(wait=True)
