"""The threads that run models, and the bounds that all queues share: on the waiting rows and on the time of a run."""

from __future__ import annotations

from collections.abc import Callable

from app.engine.run_limit import RunLimit
from app.engine.threads import Threads
from app.errors import Overloaded

CLOSE_SECONDS, STOP_SECONDS = 2.0, 1.0
"""Seconds that accepted runs have to finish at the end, and then to stop. Their callers are gone by then."""


class Batcher:
    """
    Threads for the runs of models, and a count of the accepted rows.

    onnxruntime releases the interpreter's lock while it runs, so the threads use several cores. Rows count from their
    acceptance until they are answered or their caller is gone. With `share=False` each request has its own runs. All
    methods are called on the event loop's thread.
    """

    def __init__(
        self,
        threads: int,
        max_queued_rows: int,
        queue_seconds: float = float("inf"),
        run_seconds: float = float("inf"),
        *,
        share: bool = True,
    ) -> None:
        self.threads = Threads(threads, "model")
        self.limit = RunLimit(run_seconds)
        self.queue_seconds = queue_seconds
        """The longest wait for a run."""
        self.share = share
        self.one_core = threads == 1
        self.max_rows = max_queued_rows
        self.rows = 0
        """The accepted rows. Queues add theirs, and take them off again."""
        self.on_run: Callable[[str, int], None] | None = None
        """Called with the name of the model and the rows of each successful run, on the thread that did it."""

    def overloaded(self) -> Overloaded:
        """Return the error for rows that would exceed the limit."""
        return Overloaded(
            f"{self.rows} rows are waiting and at most {self.max_rows} may; send the request again later",
            headers={"Retry-After": "1"},
        )

    def close(self) -> None:
        """Finish the accepted runs, then end the threads. Runs that take too long are stopped or left behind."""
        if not self.threads.close(CLOSE_SECONDS):
            self.limit.end_runs()
            self.threads.close(STOP_SECONDS)
        self.limit.close()
