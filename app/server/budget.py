"""
The budget: the bytes that a process holds for its clients at once, and their limit.

Bodies that arrive, rows that wait for a model, answers that are written and not yet read: each request holds some, and
a new one is refused if all of them together would exceed the limit. Only the event loop counts them, so that a count is
an addition. Threads count apart, with a lock, what they decompress.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from app.errors import Overloaded

MEBIBYTE = 1024 * 1024
DEFAULT_LIMIT_BYTES = 256 * MEBIBYTE
UNCOUNTED_BYTES = 64 * 1024
"""A body that is whole when its request is, an answer, or the rows between them: only larger ones are counted."""
FALL_BYTES = 8 * MEBIBYTE
"""If the bytes held fall by more than this, free memory goes back to the system."""
SWEEPS_AFTER_FALL = 2
"""Memory is given back twice, since some is freed a moment after it is not counted any more."""


class Budget:
    """
    The bytes held, and their limit.

    Only the event loop calls `change` and `sweep`. `on_fall` gives free memory back to the system, on a thread.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT_BYTES, on_fall: Callable[[], None] | None = None) -> None:
        self.limit = limit
        self.held = 0
        """Bytes of requests and connections."""
        self.decompressed = 0
        """Bytes that threads have decompressed and still read."""
        self._lock = Lock()
        self._on_fall = on_fall
        self._peak = 0
        """The most bytes since memory was given back."""
        self._sweeps_left = 0

    @property
    def total(self) -> int:
        """All bytes held."""
        return self.held + self.decompressed

    def change(self, before: int, after: int) -> None:
        """
        Replace the bytes that a request or a connection holds.

        Raises Overloaded if it wants more than is left. If nothing else is held, it gets as many as it wants: limits of
        their own bound a single request.
        """
        others = self.held - before
        if after > before and others + self.decompressed and others + after + self.decompressed > self.limit:
            raise self._overloaded(after)
        self.held = others + after
        self._peak = max(self._peak, self.total)

    def add(self, count: int) -> None:
        """Add bytes, even beyond the limit; a negative count takes them off again."""
        self.held += count
        self._peak = max(self._peak, self.total)

    def check(self, count: int) -> None:
        """Raise Overloaded if these bytes do not fit now. They are not counted before they arrive."""
        total = self.total
        if total and total + count > self.limit:
            raise self._overloaded(count)

    def decompressing(self) -> Decompression:
        """Return the count of one decompressed body, for a `with` statement on any thread."""
        return Decompression(self)

    def change_decompressed(self, count: int) -> None:
        """Add what a thread has decompressed, or take it off again. Raises Overloaded. Any thread may call this."""
        with self._lock:
            if count > 0 and self.total + count > self.limit:
                raise self._overloaded(count)
            self.decompressed += count
            self._peak = max(self._peak, self.total)

    def sweep(self) -> bool:
        """Give memory back to the system if much less is held than before; return True if this is not finished."""
        if self._peak - self.total > FALL_BYTES:
            self._sweeps_left = SWEEPS_AFTER_FALL
            self._peak = self.total
        if self._sweeps_left:
            self._sweeps_left -= 1
            if self._on_fall:
                Thread(target=self._on_fall, daemon=True).start()
        return self._sweeps_left > 0 or self._peak > FALL_BYTES

    def _overloaded(self, count: int) -> Overloaded:
        return Overloaded(
            f"requests hold {self.total} bytes and at most {self.limit} may be held, {count} more do not fit; "
            "send the request again later",
            headers={"Retry-After": "1"},
        )


class Decompression:
    """The bytes of one body that a thread decompresses and reads."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.change_decompressed(-self._bytes)

    def add(self, count: int) -> None:
        """Count more bytes. Raises Overloaded."""
        self._budget.change_decompressed(count)
        self._bytes += count
