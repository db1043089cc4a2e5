"""
Rows of concurrent requests share a run.

There is no timer, and nothing waits while there is nothing to do. What arrives in successive turns of the event loop is
one run on the loop where that takes less than 0.8 ms (`app.engine.pace` measured it), of which a hand-over to a thread
would be much: the run begins when a turn brought nothing new, or when it is full. Until then the loop reads requests,
which it would have to do anyway. Anything else waits for a thread, and a thread that is free takes all that waits, up
to a bound in rows. So a lone request never waits, and under load the runs grow by themselves. Text-embeddings-inference
batches in this way.

A client that asks alone should not pay for what others could share: while requests come one by one, a short run needs
no queue. Where there is one core, a thread has nothing to win: runs that are short enough stay on the loop, one a turn,
however many wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import TypeVar

import numpy as np

from app.engine.entries import Entry, RowFunction, Rows
from app.engine.pace import Pace
from app.engine.statistics import Runs
from app.engine.times import RUN_TIMES
from app.errors import Expired, Overloaded

Result = TypeVar("Result")

LONELY = 16
"""Turns of the event loop with one request each, after which a request is taken to come alone."""


class Batcher:
    """
    Threads that lanes share, and a bound on the rows that wait.

    onnxruntime leaves the interpreter's lock while it runs, so threads use several cores. Rows count from the moment
    they are accepted until they are answered or their caller has gone. With `share=False` each request has runs of its
    own. All methods are called on the event loop's thread.
    """

    def __init__(
        self, threads: int, max_queued_rows: int, queue_seconds: float = float("inf"), *, share: bool = True
    ) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="model")
        self.queue_seconds = queue_seconds
        self.share = share
        self.one_core = threads == 1
        self._limit = max_queued_rows
        self._rows = 0

    def lane(self, function: RowFunction, pace: Pace, rows_per_run: int) -> Lane:
        """A queue in front of a function, whose runs have at most this many rows."""
        return Lane(self, function, pace.rows_on_loop, min(rows_per_run, pace.rows_per_run))

    async def call(self, function: Callable[[], Result]) -> Result:
        """What a function gives, calculated on one of the threads: for what is too long for the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function)

    def admit(self, rows: int) -> None:
        """Count rows in. Raises Overloaded where they do not fit; a request always fits where nothing waits."""
        if self._rows and self._rows + rows > self._limit:
            raise Overloaded(
                f"{self._rows} rows are waiting and at most {self._limit} may; send the request again later",
                headers={"Retry-After": "1"},
            )
        self._rows += rows

    def release(self, rows: int) -> None:
        """Count rows out."""
        self._rows -= rows

    def close(self) -> None:
        """Finish what was accepted, then end the threads."""
        self.pool.shutdown(wait=True)


class Lane:
    """The queue of one function of rows: of one task of one version of a model."""

    def __init__(self, batcher: Batcher, function: RowFunction, rows_on_loop: int, rows_per_run: int) -> None:
        self._batcher = batcher
        self.runs = Runs(function)
        """The function, and what its runs have taken so far."""
        self._function: RowFunction = self.runs
        self._rows_on_loop = min(rows_on_loop, rows_per_run)
        self._rows_per_run = rows_per_run
        self._arrived: deque[Entry] = deque()
        """For the event loop, which alone touches it, and will look at it in its next turn where something is in it."""
        self._seen = 0
        """How many had arrived when the loop last looked."""
        self._waiting: deque[Entry] = deque()
        """For a thread: the event loop appends, threads take, one at a time."""
        self._taking = Lock()
        self._lonely_turns = 0
        """Turns of the event loop in a row in which one request came, up to LONELY."""
        self._came_in_this_turn = False

    async def run(self, *arrays: Rows) -> tuple[Rows, ...]:
        """
        What the function gives for these rows, which may be calculated beside other requests' rows, or in parts.

        Raises Overloaded at once, Expired where no thread was free in time, and what the function raises of these rows.
        If the caller is cancelled first, they are not computed.
        """
        rows = len(arrays[0])
        self._batcher.admit(rows)
        try:
            if rows <= self._rows_on_loop and (self._comes_alone() or self._leaves_no_room(rows)):
                return self._run_at_once(arrays)
            if rows <= self._rows_per_run:
                return await self._enqueue(arrays, rows)
            return await self._run_in_parts(arrays, rows)
        finally:
            self._batcher.release(rows)

    def _run_at_once(self, arrays: tuple[Rows, ...]) -> tuple[Rows, ...]:
        self.runs.at_once += 1
        times, began = RUN_TIMES.get(), time.monotonic()
        try:
            return self._function(*arrays)
        finally:
            if times:
                times.compute += time.monotonic() - began

    def _leaves_no_room(self, rows: int) -> bool:
        """Whether a request fills most of a run, where there is no other core to give it to."""
        return self._batcher.one_core and rows > self._rows_on_loop // 2

    def _comes_alone(self) -> bool:
        """
        Whether no other request is likely to come in this turn of the event loop, after many turns in which none did.

        The second one in a turn ends this: from then on requests are queued, until they come one by one again.
        """
        if self._lonely_turns < LONELY:
            return False
        if self._came_in_this_turn:
            self._lonely_turns = 0
            return False
        self._came_in_this_turn = True
        asyncio.get_running_loop().call_soon(self._end_turn)
        return True

    def _end_turn(self) -> None:
        self._came_in_this_turn = False

    async def _run_in_parts(self, arrays: tuple[Rows, ...], rows: int) -> tuple[Rows, ...]:
        size = self._rows_per_run
        parts = [tuple(array[at : at + size] for array in arrays) for at in range(0, rows, size)]
        answers = [self._enqueue(part, len(part[0])) for part in parts]
        try:
            results = await asyncio.gather(*answers)
        finally:
            for answer in answers:  # of the others, where one failed
                answer.cancel()
        return tuple(np.concatenate(column) for column in zip(*results, strict=True))

    def _enqueue(self, arrays: tuple[Rows, ...], rows: int) -> asyncio.Future[tuple[Rows, ...]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Rows, ...]] = loop.create_future()
        kind = tuple([(array.shape[1:], array.dtype) for array in arrays])
        if not self._arrived:
            loop.call_soon(self._look, loop)
        self._arrived.append(Entry(arrays, rows, kind, time.monotonic(), RUN_TIMES.get(), answer))
        return answer

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once in a turn of the event loop: wait for the next one while more arrives, then run it or hand it over."""
        arrived = len(self._arrived)
        rows = sum([entry.rows for entry in self._arrived])
        if arrived > self._seen and rows < self._rows_on_loop:
            self._seen = arrived
            loop.call_soon(self._look, loop)
            return
        self._seen = 0
        self._lonely_turns = 0 if arrived > 1 else min(self._lonely_turns + 1, LONELY)
        if rows <= self._rows_on_loop or (self._batcher.one_core and self._arrived[0].rows <= self._rows_on_loop):
            self._settle(self._compute(self._take(self._arrived, self._rows_on_loop)))
            if self._arrived:
                loop.call_soon(self._look, loop)
            return
        self._waiting.extend(self._arrived)
        self._arrived.clear()
        self._batcher.pool.submit(self._work, loop)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread: one run of what waits. What that leaves waits for its turn behind other lanes."""
        left = True
        while left:
            with self._taking:
                entries = self._take(self._waiting, self._rows_per_run)
            left = bool(self._waiting) and not self._passed_on(loop)
            if entries:
                self._compute(entries)
                with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                    loop.call_soon_threadsafe(self._settle, entries)  # once for all of them

    def _passed_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Ask the pool for another run; False where it is closed, so that this thread must finish what waits."""
        try:
            self._batcher.pool.submit(self._work, loop)
        except RuntimeError:
            return False
        return True

    def _take(self, queue: deque[Entry], room: int) -> list[Entry]:
        """The next entries that may share a run; those whose caller has gone are dropped, the expired are told so."""
        taken: list[Entry] = []
        waited, requests = 0.0, 0
        now = time.monotonic()
        oldest = now - self._batcher.queue_seconds
        while queue and room:
            entry = queue[0]
            if entry.answer.done():
                queue.popleft()
                continue
            if entry.since < oldest:
                entry.waited = now - entry.since
                entry.outcome = Expired("no thread was free to run the model in time; send the request again later")
            elif entry.rows > room or (taken and not (self._batcher.share and entry.kind == taken[0].kind)):
                break
            else:
                room -= entry.rows
                waited += now - entry.since
                requests += 1
            taken.append(queue.popleft())
        self.runs.waited(waited, requests)
        return taken

    def _compute(self, entries: list[Entry]) -> list[Entry]:
        """The same entries, each with its outcome. Where a run fails, each runs alone, so that one fails for itself."""
        live = [entry for entry in entries if entry.outcome is None]
        if not live:
            return entries
        columns = [entry.arrays for entry in live]
        began = time.monotonic()
        try:
            if len(live) == 1:
                live[0].outcome = self._function(*columns[0])
            else:
                results = self._function(*(np.concatenate(column) for column in zip(*columns, strict=True)))
        except Exception as error:  # whatever it is, it belongs to whoever sent the rows
            if len(live) > 1:
                for entry in live:
                    self._compute([entry])
                return entries
            live[0].outcome = error
        took, start = time.monotonic() - began, 0
        for entry in live:
            entry.waited, entry.took = began - entry.since, took
            if len(live) > 1:
                stop = start + entry.rows
                entry.outcome = tuple([result[start:stop] for result in results])
                start = stop
        return entries

    @staticmethod
    def _settle(entries: list[Entry]) -> None:
        for entry in entries:
            entry.settle()
