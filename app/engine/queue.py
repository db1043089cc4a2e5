"""
The queue in front of one function of a model, in which rows of concurrent requests share runs.

    request ──► run() ──┬─ a lone client's ─────────────► run at once, on the event loop
                        │
                        └─ _arrived ──► _dispatch ──┬─ short: one run on the event loop
                                   once in a turn   │
                                                    └─ _waiting ──► _work on a thread: one run of all that fit

No request waits while nothing runs, and no timer decides when a run begins. Requests that arrive in successive turns
of the event loop share a run on the loop if it takes less than 0.8 ms, or 2 ms where there is no other core
(`app.engine.run_time` measures that), since a hand-over to a thread would cost more. Such a run begins as soon as a
turn brings no new request, or when it is full. Longer runs go to the threads: a free thread takes all that waits, up to
the largest run. So a lone request never waits, and runs grow with the load. (Text-embeddings-inference batches in this
way.) One timer fails what waits too long for a thread; it is armed only then.

A client that asks alone does not pay for sharing: after SOLO_TURNS turns with one request each, a short run skips the
queue. With one core, threads gain nothing, so all runs that are short enough stay on the loop, one in each turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from functools import partial
from threading import Lock

import numpy as np

from app.arrays import Rows
from app.engine.batcher import Batcher
from app.engine.expiry import Expiry
from app.engine.pending import Pending, RowFunction, compute, settle
from app.engine.run_time import RunTime
from app.engine.statistics import RunStatistics
from app.times import REQUEST_TIMES, now

SOLO_TURNS = 16
"""Successive turns of the event loop with one request each, after which the client is taken to be alone."""

LARGE_BYTES = 64 * 1024
"""Larger arrays are freed as soon as their caller is gone."""


class Queue:
    """The requests that wait for one function of one version of a model."""

    def __init__(self, batcher: Batcher, function: RowFunction, run_time: RunTime, max_rows: int) -> None:
        self.statistics = RunStatistics()
        self._batcher = batcher
        self._run_function = partial(batcher.limit.run, function)
        self._max_rows = max_rows
        self._rows_per_run = self._rows_on_loop = 0
        self.set_run_time(run_time)
        self._arrived: deque[Pending] = deque()
        """For the event loop, which will dispatch it in its next turn. Only the loop touches it."""
        self._arrived_before = 0
        """The length of `_arrived` when the loop last looked."""
        self._waiting: deque[Pending] = deque()
        """For the threads: the event loop appends, and one thread at a time takes."""
        self._taking = Lock()
        self._expiry = Expiry(batcher.queue_seconds)
        self._solo_turns = 0
        """Successive turns of the event loop with one request each, up to SOLO_TURNS."""
        self._ran_in_this_turn: list[int] = []
        """The rows that skipped the queue in this turn of the event loop; its next turn clears the list."""

    def set_run_time(self, run_time: RunTime) -> None:
        """Take over the time of runs, which decides their sizes from now on. Any thread may call this."""
        self._rows_per_run = min(self._max_rows, run_time.rows_per_run)
        self._rows_on_loop = min(run_time.rows_on_loop(self._batcher.one_core), self._rows_per_run)

    async def run(self, *arrays: Rows) -> tuple[Rows, ...]:
        """
        Return the function's result for these rows, which may share a run with others or be split over several runs.

        Raises Overloaded at once, Expired if no thread was free in time, and any error of the function for these rows.
        The rows are not computed if the caller is cancelled first.
        """
        rows, batcher = len(arrays[0]), self._batcher
        if batcher.rows and batcher.rows + rows > batcher.max_rows:  # if nothing waits, any request is accepted
            raise batcher.overloaded()
        batcher.rows += rows
        try:
            if rows <= self._rows_on_loop and (self._is_alone(rows) or self._fills_the_core(rows)):
                return self._run_at_once(arrays, rows)
            if rows <= self._rows_per_run:
                return await self._enqueue(arrays, rows, large=arrays[0].nbytes > LARGE_BYTES)
            return await self._run_in_parts(arrays, rows)
        finally:
            batcher.rows -= rows

    def _run_at_once(self, arrays: tuple[Rows, ...], rows: int) -> tuple[Rows, ...]:
        start, times = now(), REQUEST_TIMES.get()
        self.statistics.unqueued += 1
        try:
            results = self._run_function(*arrays)
            self.statistics.add_run(rows, now() - start)
            return results
        finally:
            if times:
                times.compute += now() - start

    def _fills_the_core(self, rows: int) -> bool:
        """Return True if the rows fill most of a run and there is no other core to run it."""
        return self._batcher.one_core and rows > self._rows_on_loop // 2

    def _is_alone(self, rows: int) -> bool:
        """
        Return True if no other request is likely to arrive in this turn, since none did in many turns before.

        A second request in a turn ends this: requests are queued again until they come one by one.
        """
        if self._solo_turns < SOLO_TURNS:
            return False
        if self._ran_in_this_turn:
            self._solo_turns = 0
            return False
        self._ran_in_this_turn.append(rows)
        asyncio.get_running_loop().call_soon(self._ran_in_this_turn.clear)
        return True

    async def _run_in_parts(self, arrays: tuple[Rows, ...], rows: int) -> tuple[Rows, ...]:
        size = self._rows_per_run
        parts = [tuple(array[at : at + size] for array in arrays) for at in range(0, rows, size)]
        futures = [self._enqueue(part, len(part[0]), large=True) for part in parts]
        try:
            results = await asyncio.gather(*futures)
        finally:
            for future in futures:  # if one failed, the others are not wanted any more
                future.cancel()
        return tuple(np.concatenate(column) for column in zip(*results, strict=True))

    def _enqueue(self, arrays: tuple[Rows, ...], rows: int, *, large: bool) -> asyncio.Future[tuple[Rows, ...]]:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[tuple[Rows, ...]] = loop.create_future()
        kind = tuple([(array.shape[1:], array.dtype) for array in arrays])
        if not self._arrived:
            loop.call_soon(self._dispatch, loop)
        pending = Pending(arrays, rows, kind, now(), REQUEST_TIMES.get(), result)
        self._arrived.append(pending)
        if large:  # its place in the queue may stay for a while after its caller is gone
            result.add_done_callback(pending.forget)
        return result

    def _dispatch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once in a turn of the event loop: wait for the next turn while more arrives, then run or hand over."""
        arrived = len(self._arrived)
        rows = sum([pending.rows for pending in self._arrived])
        if arrived > self._arrived_before and rows < self._rows_on_loop:
            self._arrived_before = arrived
            loop.call_soon(self._dispatch, loop)
            return
        self._arrived_before = 0
        self._solo_turns = 0 if arrived > 1 else min(self._solo_turns + 1, SOLO_TURNS)
        if rows <= self._rows_on_loop or (self._batcher.one_core and self._arrived[0].rows <= self._rows_on_loop):
            batch = self._take(self._arrived, self._rows_on_loop)
            compute(batch, self._run_function, self.statistics)
            settle(batch)
            if self._arrived:
                loop.call_soon(self._dispatch, loop)
            return
        self._waiting.extend(self._arrived)
        self._arrived.clear()
        self._expiry.arm(loop, self._expire)
        self._batcher.threads.submit(self._work, loop)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread: do one run. If rows are left, ask for another run, behind the runs of other queues."""
        more = True
        while more:
            with self._taking:
                batch = self._take(self._waiting, self._rows_per_run)
            more = bool(self._waiting) and not self._resubmit(loop)
            if batch:
                compute(batch, self._run_function, self.statistics)
                with suppress(RuntimeError):  # the loop is closed: no caller is left
                    loop.call_soon_threadsafe(settle, batch)  # once for the whole batch

    def _resubmit(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Ask the threads for another run. Return False if they are closed: this thread must then finish what waits."""
        try:
            self._batcher.threads.submit(self._work, loop)
        except RuntimeError:
            return False
        return True

    def _take(self, queue: deque[Pending], room: int) -> list[Pending]:
        """Take the next entries that fit one run. Drop cancelled ones; give expired ones their error."""
        batch: list[Pending] = []
        waited, requests = 0.0, 0
        time = now()
        oldest = time - self._batcher.queue_seconds
        while queue and room:
            pending = queue[0]
            if pending.result.done():
                queue.popleft()
                continue
            if pending.since < oldest:
                pending.expire(time)
            elif pending.rows > room or (batch and not (self._batcher.share and pending.kind == batch[0].kind)):
                break
            else:
                room -= pending.rows
                waited += time - pending.since
                requests += 1
            batch.append(queue.popleft())
        self.statistics.add_waiting(waited, requests)
        return batch

    def _expire(self, oldest: float) -> float | None:
        """On the event loop: fail what has waited for a thread since a time. Return the next that waits."""
        expired: list[Pending] = []
        with self._taking:
            while self._waiting and self._waiting[0].since <= oldest:
                expired.append(self._waiting.popleft())
            since = self._waiting[0].since if self._waiting else None
        for pending in expired:
            pending.expire(now())
        settle(expired)
        return since
