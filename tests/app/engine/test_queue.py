"""Queues: which requests share a run, where it runs, and which requests fail."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.arrays import Rows
from app.engine.batcher import Batcher
from app.engine.queue import SOLO_TURNS, Queue
from app.engine.repository import load_version
from app.engine.run_time import RunTime
from app.errors import Expired, NotFinite, Overloaded, RunTooLong
from app.times import REQUEST_TIMES, RequestTimes
from tests.helpers.endless import ENDLESS, write_endless

POISON = -13
SLOW = RunTime(first=1.0, per_row=1e-6)
"""The time of a function that never runs on the event loop, however few its rows."""


def rows(*numbers: float) -> Rows:
    """Return rows of one number each. Shape: (B, 1)."""
    return np.array(numbers, np.float32)[:, None]


class Doubling:
    """A function of rows that records its runs, and in each waits until a gate is open."""

    def __init__(self) -> None:
        self.runs: list[list[float]] = []
        self.threads: set[str] = set()
        self.gate = threading.Event()
        self.started = threading.Event()
        self.gate.set()

    def __call__(self, batch: Rows) -> tuple[Rows]:
        self.runs.append(batch.ravel().tolist())
        self.threads.add(threading.current_thread().name)
        self.started.set()
        assert self.gate.wait(30)
        if (batch == POISON).any():
            raise NotFinite("thirteen")
        return (batch * 2,)


Scenario = Callable[[Queue, Doubling], Coroutine[Any, Any, None]]


def play(
    scenario: Scenario, run_time: RunTime = SLOW, rows_per_run: int = 8, threads: int = 1, **options: Any
) -> Doubling:
    """Run a scenario with a queue in front of a function, end the threads, and return the function."""
    double = Doubling()

    async def played() -> None:
        batcher = Batcher(threads, options.pop("max_queued_rows", 1000), **options)
        try:
            await asyncio.wait_for(scenario(Queue(batcher, double, run_time, rows_per_run), double), 30)
        finally:
            double.gate.set()
            batcher.close()

    asyncio.run(played())
    return double


async def turns(count: int) -> None:
    """Let the event loop turn `count` times."""
    for _turn in range(count):
        await asyncio.sleep(0)


async def occupy(queue: Queue, double: Doubling, number: float = 0) -> asyncio.Task[tuple[Rows, ...]]:
    """Start a request that occupies the thread until the gate is open."""
    double.gate.clear()
    double.started.clear()
    first = asyncio.create_task(queue.run(rows(number)))
    while not double.started.is_set():
        await asyncio.sleep(0.001)
    return first


def test_waiting_requests_share_a_run_and_each_gets_its_own_rows() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        others = [asyncio.create_task(queue.run(rows(*range(n, 2 * n)))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        double.gate.set()
        answers = [(await other)[0].ravel().tolist() for other in others]
        assert answers == [[2], [4, 6], [6, 8, 10]]
        await first

    assert play(scenario).runs == [[0], [1, 2, 3, 3, 4, 5]]


def test_a_lone_request_does_not_wait_for_others() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        for number in (1, 2, 3):
            assert (await queue.run(rows(number)))[0].tolist() == [[2 * number]]

    assert play(scenario).runs == [[1], [2], [3]]


def test_a_run_is_bounded_in_rows_and_not_in_requests() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        others = [asyncio.create_task(queue.run(rows(n, n, n))) for n in range(1, 5)]
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, *others)

    assert [len(run) for run in play(scenario).runs] == [1, 6, 6]


def test_a_request_larger_than_a_run_is_split_and_joined_in_order() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        (answer,) = await queue.run(rows(*range(21)))
        assert answer.ravel().tolist() == [2.0 * n for n in range(21)]

    runs = play(scenario, threads=2).runs
    assert sorted(map(len, runs)) == [5, 8, 8]


def test_a_failed_part_fails_only_its_own_request() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        large = asyncio.create_task(queue.run(rows(*range(19), POISON)))
        small = asyncio.create_task(queue.run(rows(7)))
        await asyncio.sleep(0)
        double.gate.set()
        with pytest.raises(NotFinite, match="thirteen"):
            await large
        assert (await small)[0].tolist() == [[14]]
        await first
        assert (await queue.run(rows(1)))[0].tolist() == [[2]]

    play(scenario)


def test_a_failed_request_does_not_fail_those_that_shared_its_run() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        good, poisoned, better = (asyncio.create_task(queue.run(rows(n))) for n in (1, POISON, 2))
        await asyncio.sleep(0)
        double.gate.set()
        assert (await good)[0].tolist() == [[2]]
        assert (await better)[0].tolist() == [[4]]
        with pytest.raises(NotFinite, match="thirteen"):
            await poisoned
        await first

    assert play(scenario).runs == [[0], [1, POISON, 2], [1], [POISON], [2]]


OTHERS = [np.ones((2, 3), np.float32), np.ones((2, 1), np.float64)]


@pytest.mark.parametrize("other", OTHERS, ids=["shape", "dtype"])
def test_rows_of_different_shape_or_dtype_never_share_a_run(other: Rows) -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        both = [np.ones((2, 1), np.float32), other]
        waiting = [asyncio.create_task(queue.run(sent)) for sent in both]
        await asyncio.sleep(0)
        double.gate.set()
        for answered, sent in zip(waiting, both, strict=True):
            (answer,) = await answered
            assert (answer.shape, answer.dtype) == (sent.shape, sent.dtype)
        await first

    assert [len(run) for run in play(scenario).runs] == [1, 2, other.size]


def test_a_cancelled_request_is_not_computed_and_frees_its_rows_at_once() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        gone = asyncio.create_task(queue.run(rows(5, 5, 5)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        fits = asyncio.create_task(queue.run(rows(6, 6, 6)))
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, fits)

    assert play(scenario, max_queued_rows=4).runs == [[0], [6, 6, 6]]


@pytest.mark.parametrize("rows_per_run", [8, 20_000])
def test_the_arrays_of_a_cancelled_request_are_freed_at_once(rows_per_run: int) -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        array = np.ones((20_000, 1), np.float32)
        watched = weakref.ref(array)
        gone = asyncio.create_task(queue.run(array))
        del array
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        del gone
        await asyncio.sleep(0)
        assert watched() is None
        double.gate.set()
        await first

    assert play(scenario, rows_per_run=rows_per_run, max_queued_rows=50_000).runs == [[0]]


def test_a_caller_may_leave_while_its_rows_are_computed() -> None:
    failures: list[dict[str, Any]] = []

    async def scenario(queue: Queue, double: Doubling) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        first = await occupy(queue, double)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        double.gate.set()
        assert (await queue.run(rows(3)))[0].tolist() == [[6]]

    play(scenario)
    assert failures == []


def test_remaining_parts_are_not_computed_after_one_failed() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        double.gate.clear()
        large = asyncio.create_task(queue.run(rows(POISON, *range(399))))
        while not double.started.is_set():
            await asyncio.sleep(0.001)
        opened, double.gate = double.gate, threading.Event()  # the second run waits until the request has failed
        opened.set()
        with pytest.raises(NotFinite):
            await large
        double.gate.set()
        await queue.run(rows(1))

    assert len(play(scenario).runs) <= 3


def test_expired_requests_fail_and_are_not_computed() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        late = asyncio.create_task(queue.run(rows(1)))
        await asyncio.sleep(0.02)
        double.gate.set()
        with pytest.raises(Expired):
            await late
        await first

    assert play(scenario, queue_seconds=0.01).runs == [[0]]


def test_requests_expire_in_time_while_all_threads_are_stuck() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        start = time.perf_counter()
        for _again in range(3):  # the timer is armed again
            late = [asyncio.create_task(queue.run(rows(n))) for n in range(3)]
            for answer in late:
                with pytest.raises(Expired, match="no thread was free"):
                    await asyncio.wait_for(answer, 10)
        assert time.perf_counter() - start >= 0.06
        assert not double.gate.is_set()
        large = asyncio.create_task(queue.run(rows(*range(20))))  # in three parts
        with pytest.raises(Expired):
            await asyncio.wait_for(large, 10)
        double.gate.set()
        await first

    assert play(scenario, queue_seconds=0.02).runs == [[0]]


def test_runs_on_the_event_loop_arm_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    armed: list[object] = []

    async def scenario(queue: Queue, _: Doubling) -> None:
        loop = asyncio.get_running_loop()
        call_later = loop.call_later

        def counted(*arguments: Any) -> Any:
            armed.append(arguments)
            return call_later(*arguments)

        monkeypatch.setattr(loop, "call_later", counted)
        for n in range(2 * SOLO_TURNS):
            await queue.run(rows(n))
        await asyncio.gather(*(queue.run(rows(n)) for n in range(5)))
        assert armed == []
        await asyncio.gather(*(queue.run(rows(*range(6))) for n in range(5)))  # over the threads
        assert len(armed) == 1

    play(scenario, run_time=FAST, threads=2, queue_seconds=30)


def test_a_run_that_does_not_end_fails_only_its_cause(tmp_path: Path) -> None:
    model = load_version(write_endless(tmp_path), "endless", 1)

    async def scenario() -> None:
        batcher = Batcher(1, 1000, run_seconds=0.1)
        queue = Queue(batcher, model.run_mean, SLOW, 8)
        samples = [np.full((1, 1, 2, 2), number, np.float32) for number in (0.5, ENDLESS, 0.25)]
        first, poisoned, last = [asyncio.create_task(queue.run(sample)) for sample in samples]
        with pytest.raises(RunTooLong):
            await poisoned
        assert (await first)[0].tolist() == [[1, 1]]
        assert (await last)[0].tolist() == [[0.5, 0.5]]
        batcher.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_a_run_on_the_event_loop_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    model = load_version(write_endless(tmp_path), "endless", 1)

    async def scenario() -> None:
        batcher = Batcher(1, 1000, run_seconds=0.1)
        queue = Queue(batcher, model.run_mean, FAST, 8)
        with pytest.raises(RunTooLong):
            await queue.run(np.full((1, 1, 2, 2), ENDLESS, np.float32))
        assert (await queue.run(np.full((1, 1, 2, 2), 0.5, np.float32)))[0].tolist() == [[1, 1]]
        batcher.close()

    asyncio.run(asyncio.wait_for(scenario(), 30))


def test_rows_above_the_limit_are_refused_at_once_with_a_time_to_retry() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        waiting = asyncio.create_task(queue.run(rows(*[1] * 7)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="8 rows are waiting and at most 10 may") as caught:
            await queue.run(rows(1, 2, 3))
        assert caught.value.headers == {"Retry-After": "1"}
        fits = asyncio.create_task(queue.run(rows(1, 2)))
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, waiting, fits)
        (only,) = await queue.run(rows(*range(100)))  # if nothing waits, any request fits
        assert len(only) == 100

    play(scenario, max_queued_rows=10)


def test_an_error_frees_its_rows() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        for _attempt in range(3):
            with pytest.raises(NotFinite):
                await queue.run(rows(POISON))
        assert (await queue.run(rows(1)))[0].tolist() == [[2]]

    play(scenario, max_queued_rows=1)


def at_once(running: Coroutine[Any, Any, tuple[Rows, ...]]) -> list[float] | None:
    """Return the result of a request that waits for nothing, or None if it waits."""
    try:
        running.send(None)
    except StopIteration as done:
        answer: list[float] = done.value[0].ravel().tolist()
        return answer
    running.close()
    return None


FAST = RunTime(first=1e-5, per_row=1.6e-4)
"""The time of a function whose runs of up to five rows may run on the event loop."""
FAST_ON_ONE_CORE = RunTime(first=1e-5, per_row=4e-4)
"""Such a time, if there is one core."""


def test_small_runs_of_a_fast_function_stay_on_the_event_loop_and_are_shared() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        answers = await asyncio.gather(*(queue.run(rows(n)) for n in range(5)))
        assert [answer[0].item() for answer in answers] == [0, 2, 4, 6, 8]
        for n in range(20):
            await queue.run(rows(n))
        assert double.threads == {threading.main_thread().name}
        await asyncio.gather(*(queue.run(rows(n)) for n in range(6)))
        assert len(double.threads) == 2

    assert [len(run) for run in play(scenario, run_time=FAST, threads=2).runs] == [5, *[1] * 20, 6]


def test_a_run_waits_while_every_turn_of_the_event_loop_brings_more_requests() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        waiting = []
        for n in range(3):
            waiting.append(asyncio.create_task(queue.run(rows(n))))
            await turns(1)
        assert double.runs == []
        await turns(2)  # the first of these brings nothing
        assert double.runs == [[0, 1, 2]]
        for n in range(3, 5):  # and again
            waiting.append(asyncio.create_task(queue.run(rows(n))))
            await turns(1)
        assert double.runs == [[0, 1, 2]]
        await asyncio.gather(*waiting)

    assert play(scenario, run_time=FAST, threads=2).runs == [[0, 1, 2], [3, 4]]


def test_the_statistics_count_queued_and_unqueued_requests() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        await asyncio.gather(*(queue.run(rows(n)) for n in range(4)))
        for n in range(SOLO_TURNS + 3):
            await queue.run(rows(n))
            await turns(1)
        assert queue.statistics.unqueued == 3
        assert queue.statistics.queue.count == 4 + SOLO_TURNS + 3

    play(scenario, run_time=FAST, threads=2)


def test_a_full_run_starts_at_once() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        waiting = [asyncio.create_task(queue.run(rows(n, n))) for n in range(2)]
        await turns(1)
        waiting.append(asyncio.create_task(queue.run(rows(9))))  # the fifth row
        await turns(2)
        waiting.append(asyncio.create_task(queue.run(rows(10))))
        assert double.runs == [[0, 0, 1, 1, 9]]
        await asyncio.gather(*waiting)

    assert play(scenario, run_time=FAST, threads=2).runs[1:] == [[10]]


def test_with_one_core_short_runs_stay_on_the_event_loop_however_many_wait() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        turns: list[int] = []

        async def count_turns() -> None:
            while True:
                turns.append(len(double.runs))
                await asyncio.sleep(0)

        counting = asyncio.create_task(count_turns())
        answers = await asyncio.gather(*(queue.run(rows(n, n)) for n in range(4)), queue.run(rows(7)))
        counting.cancel()
        assert [answer[0].ravel().tolist()[0] for answer in answers] == [0, 2, 4, 6, 14]
        assert double.threads == {threading.main_thread().name}
        assert {1, 2} <= set(turns)  # others had their turn between the runs
        await queue.run(rows(*range(6)))
        assert len(double.threads) == 2

    assert [len(run) for run in play(scenario, run_time=FAST_ON_ONE_CORE).runs] == [4, 5, 6]


def test_with_one_core_a_request_that_fills_most_of_a_run_runs_at_once() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        assert at_once(queue.run(rows(1, 2, 3))) == [2, 4, 6]
        with pytest.raises(NotFinite):
            await queue.run(rows(POISON, 0, 0))
        await queue.run(rows(1))

    play(scenario, run_time=FAST_ON_ONE_CORE, max_queued_rows=1)


def test_requests_that_do_not_fit_one_run_on_the_event_loop_go_to_threads() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        await asyncio.gather(*(queue.run(rows(n)) for n in range(4)))
        assert threading.main_thread().name not in double.threads

    play(scenario, run_time=FAST, rows_per_run=2, threads=2)


def test_runs_of_a_slow_function_are_small() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        await queue.run(rows(*range(5)))

    assert sorted(len(run) for run in play(scenario, run_time=RunTime(first=1.0, per_row=0.0025)).runs) == [1, 2, 2]


def test_each_run_wakes_the_event_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[object] = []

    async def scenario(queue: Queue, double: Doubling) -> None:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        first = await occupy(queue, double)
        others = [asyncio.create_task(queue.run(rows(n))) for n in range(6)]
        await asyncio.sleep(0)

        def counted(*arguments: Any) -> Any:
            woken.append(arguments)
            return wake(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        double.gate.set()
        await asyncio.gather(first, *others)

    assert play(scenario).runs == [[0], [0, 1, 2, 3, 4, 5]]
    assert len(woken) == 2


def test_without_sharing_each_request_has_a_run_of_its_own() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        first = await occupy(queue, double)
        others = [asyncio.create_task(queue.run(rows(n, n))) for n in range(3)]
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, *others)

    assert play(scenario, share=False).runs == [[0], [0, 0], [1, 1], [2, 2]]


def test_runs_are_concurrent_if_there_are_threads() -> None:
    both = threading.Barrier(2)

    def meet(batch: Rows) -> tuple[Rows]:
        both.wait(30)  # breaks unless two runs are here together
        return (batch,)

    async def scenario() -> None:
        batcher = Batcher(2, 1000)
        queue = Queue(batcher, meet, SLOW, 4)
        await queue.run(rows(*range(8)))
        batcher.close()

    asyncio.run(scenario())


def test_a_busy_queue_does_not_starve_another() -> None:
    order: list[str] = []
    gate = threading.Event()

    def named(name: str) -> Callable[[Rows], tuple[Rows]]:
        def call(batch: Rows) -> tuple[Rows]:
            assert gate.wait(30)
            order.append(name)
            return (batch,)

        return call

    async def scenario() -> None:
        batcher = Batcher(1, 1000)
        busy, other = Queue(batcher, named("busy"), SLOW, 1), Queue(batcher, named("other"), SLOW, 1)
        waiting = [asyncio.create_task(busy.run(rows(n))) for n in range(5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(other.run(rows(0))))
        await asyncio.sleep(0.01)
        gate.set()
        await asyncio.gather(*waiting)
        batcher.close()

    asyncio.run(scenario())
    assert order.index("other") < 3


def test_closing_the_batcher_finishes_accepted_requests() -> None:
    async def scenario() -> None:
        double, before = Doubling(), threading.enumerate()
        double.gate.clear()
        batcher = Batcher(1, 1000)
        queue = Queue(batcher, double, SLOW, 8)
        waiting = [asyncio.create_task(queue.run(rows(*range(n, n + 8)))) for n in (1, 2, 3)]
        while not double.started.is_set():
            await asyncio.sleep(0.001)
        threading.Timer(0.05, double.gate.set).start()
        batcher.close()
        assert not double.threads & {thread.name for thread in threading.enumerate() if thread not in before}
        assert [answer[0][0].item() for answer in await asyncio.gather(*waiting)] == [2, 4, 6]

    asyncio.run(scenario())


def test_a_lone_client_runs_at_once_until_others_come() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        assert at_once(queue.run(rows(1))) is None  # others may come
        await turns(2)
        for n in range(SOLO_TURNS):
            await queue.run(rows(n))
            await asyncio.sleep(0)
        for n in range(3):
            assert at_once(queue.run(rows(n))) == [2 * n]
            await asyncio.sleep(0)
        assert at_once(queue.run(rows(1))) == [2]
        assert at_once(queue.run(rows(2))) is None  # the second one in a turn
        await turns(2)
        assert at_once(queue.run(rows(3))) is None
        await turns(2)
        answers = await asyncio.gather(*(queue.run(rows(n)) for n in range(5)))
        assert [answer[0].item() for answer in answers] == [0, 2, 4, 6, 8]

    assert play(scenario, run_time=FAST, threads=2).runs[-1] == [0, 1, 2, 3, 4]


def test_two_requests_in_one_turn_end_the_solo_turns() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        for _turn in range(SOLO_TURNS - 1):
            await queue.run(rows(1))
        await asyncio.gather(queue.run(rows(1)), queue.run(rows(2)))
        await queue.run(rows(1))
        assert at_once(queue.run(rows(1))) is None

    play(scenario, run_time=FAST, threads=2)


def test_with_several_cores_a_request_that_fills_most_of_a_run_is_queued() -> None:
    async def scenario(queue: Queue, _: Doubling) -> None:
        assert at_once(queue.run(rows(1, 2, 3))) is None

    play(scenario, run_time=FAST, threads=2)


def test_a_long_run_of_a_lone_client_goes_to_a_thread() -> None:
    async def scenario(queue: Queue, double: Doubling) -> None:
        for n in range(2 * SOLO_TURNS):
            await queue.run(rows(n))
        await queue.run(rows(*range(6)))
        assert len(double.threads) == 2

    play(scenario, run_time=FAST, threads=2)


async def timed(queue: Queue, times: RequestTimes | None, width: int = 2, count: int = 1) -> None:
    """Run rows of zeros for a request with this clock."""
    REQUEST_TIMES.set(times)
    await queue.run(np.zeros((count, width), np.float32))


def sleeping(seconds: float) -> Callable[[Rows], tuple[Rows]]:
    """Return a function of rows that takes this long."""

    def sleep(batch: Rows) -> tuple[Rows]:
        time.sleep(seconds)
        return (batch,)

    return sleep


def test_a_run_without_queueing_counts_as_the_request_compute_time() -> None:
    async def scenario() -> RequestTimes:
        batcher, times = Batcher(1, 100), RequestTimes()
        queue = Queue(batcher, sleeping(0.01), RunTime(first=1e-6, per_row=1e-4), 8)
        await timed(queue, times, count=8)  # it fills a run
        batcher.close()
        return times

    times = asyncio.run(scenario())
    assert times.compute >= 0.01
    assert times.queue == 0


def test_a_request_behind_another_run_counts_its_waiting() -> None:
    async def scenario() -> list[RequestTimes]:
        batcher, clocks = Batcher(1, 100), [RequestTimes(), RequestTimes()]
        queue = Queue(batcher, sleeping(0.05), RunTime(first=1.0, per_row=1.0), 1)  # on a thread, one row in a run
        await asyncio.gather(*(asyncio.create_task(timed(queue, times)) for times in clocks))
        batcher.close()
        return clocks

    first, second = asyncio.run(scenario())
    assert first.queue < 0.05 <= min(first.compute, second.compute)
    assert 0.05 <= second.queue < 0.2


def test_an_expired_request_counts_its_waiting_and_no_run() -> None:
    async def scenario() -> RequestTimes:
        batcher, times = Batcher(1, 100, queue_seconds=0.01), RequestTimes()
        queue = Queue(batcher, sleeping(0.05), RunTime(first=1.0, per_row=1.0), 1)
        first = asyncio.create_task(timed(queue, None))
        with pytest.raises(Expired):
            await asyncio.create_task(timed(queue, times))
        await first
        batcher.close()
        return times

    times = asyncio.run(scenario())
    assert times.queue >= 0.01
    assert times.compute == 0
