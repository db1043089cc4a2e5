"""Runs that requests share: what may meet, what is split, what is dropped, and who fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from app.engine.batching import LONELY, Batcher, Lane
from app.engine.entries import Rows
from app.engine.pace import Pace
from app.errors import Expired, NotFinite, Overloaded

POISON = -13
SLOW = Pace(first=1.0, per_row=1e-6)
"""Of a function that never runs on the event loop, whatever its rows."""


def rows(*numbers: float) -> Rows:
    """Shape: (B, 1)"""
    return np.array(numbers, np.float32)[:, None]


class Doubling:
    """A function of rows that remembers its runs, and waits at a gate in each."""

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


Scenario = Callable[[Lane, Doubling], Coroutine[Any, Any, None]]


def play(scenario: Scenario, pace: Pace = SLOW, rows_per_run: int = 8, threads: int = 1, **options: Any) -> Doubling:
    """Run a scenario with a lane in front of a function, and end the threads."""
    double = Doubling()

    async def played() -> None:
        batcher = Batcher(threads, options.pop("max_queued_rows", 1000), **options)
        try:
            await asyncio.wait_for(scenario(batcher.lane(double, pace, rows_per_run), double), 30)
        finally:
            double.gate.set()
            batcher.close()

    asyncio.run(played())
    return double


async def turns(count: int) -> None:
    """So many turns of the event loop."""
    for _turn in range(count):
        await asyncio.sleep(0)


async def behind(lane: Lane, double: Doubling, number: float = 0) -> asyncio.Task[tuple[Rows, ...]]:
    """A request that occupies the thread until the gate is opened."""
    double.gate.clear()
    double.started.clear()
    first = asyncio.create_task(lane.run(rows(number)))
    while not double.started.is_set():
        await asyncio.sleep(0.001)
    return first


def test_what_waits_shares_a_run_and_each_gets_its_own_rows() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        others = [asyncio.create_task(lane.run(rows(*range(n, 2 * n)))) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        double.gate.set()
        answers = [(await other)[0].ravel().tolist() for other in others]
        assert answers == [[2], [4, 6], [6, 8, 10]]
        await first

    assert play(scenario).runs == [[0], [1, 2, 3, 3, 4, 5]]


def test_a_lone_request_does_not_wait_for_company() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        for number in (1, 2, 3):
            assert (await lane.run(rows(number)))[0].tolist() == [[2 * number]]

    assert play(scenario).runs == [[1], [2], [3]]


def test_a_run_is_bounded_in_rows_not_in_requests() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        others = [asyncio.create_task(lane.run(rows(n, n, n))) for n in range(1, 5)]
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, *others)

    assert [len(run) for run in play(scenario).runs] == [1, 6, 6]


def test_a_request_larger_than_a_run_is_split_and_put_together_in_order() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        (answer,) = await lane.run(rows(*range(21)))
        assert answer.ravel().tolist() == [2.0 * n for n in range(21)]

    runs = play(scenario, threads=2).runs
    assert sorted(map(len, runs)) == [5, 8, 8]


def test_one_part_that_fails_fails_its_request_alone() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        large = asyncio.create_task(lane.run(rows(*range(19), POISON)))
        small = asyncio.create_task(lane.run(rows(7)))
        await asyncio.sleep(0)
        double.gate.set()
        with pytest.raises(NotFinite, match="thirteen"):
            await large
        assert (await small)[0].tolist() == [[14]]
        await first
        assert (await lane.run(rows(1)))[0].tolist() == [[2]]

    play(scenario)


def test_a_poisoned_request_fails_alone() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        good, poisoned, better = (asyncio.create_task(lane.run(rows(n))) for n in (1, POISON, 2))
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
def test_rows_of_different_shape_or_dtype_never_meet(other: Rows) -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        both = [np.ones((2, 1), np.float32), other]
        waiting = [asyncio.create_task(lane.run(sent)) for sent in both]
        await asyncio.sleep(0)
        double.gate.set()
        for answered, sent in zip(waiting, both, strict=True):
            (answer,) = await answered
            assert (answer.shape, answer.dtype) == (sent.shape, sent.dtype)
        await first

    assert [len(run) for run in play(scenario).runs] == [1, 2, other.size]


def test_a_cancelled_request_is_not_computed_and_frees_its_rows_at_once() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        gone = asyncio.create_task(lane.run(rows(5, 5, 5)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        fits = asyncio.create_task(lane.run(rows(6, 6, 6)))
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, fits)

    assert play(scenario, max_queued_rows=4).runs == [[0], [6, 6, 6]]


def test_a_caller_may_go_while_its_rows_are_computed() -> None:
    failures: list[dict[str, Any]] = []

    async def scenario(lane: Lane, double: Doubling) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        first = await behind(lane, double)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        double.gate.set()
        assert (await lane.run(rows(3)))[0].tolist() == [[6]]

    play(scenario)
    assert failures == []


def test_when_a_part_has_failed_the_others_are_not_computed() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        double.gate.clear()
        large = asyncio.create_task(lane.run(rows(POISON, *range(399))))
        while not double.started.is_set():
            await asyncio.sleep(0.001)
        opened, double.gate = double.gate, threading.Event()  # the second run waits until the request was told
        opened.set()
        with pytest.raises(NotFinite):
            await large
        double.gate.set()
        await lane.run(rows(1))

    assert len(play(scenario).runs) <= 3


def test_an_expired_request_is_told_so_and_not_computed() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        late = asyncio.create_task(lane.run(rows(1)))
        await asyncio.sleep(0.02)
        double.gate.set()
        with pytest.raises(Expired):
            await late
        await first

    assert play(scenario, queue_seconds=0.01).runs == [[0]]


def test_what_does_not_fit_is_refused_at_once_and_told_when_to_come_back() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        waiting = asyncio.create_task(lane.run(rows(*[1] * 7)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="8 rows are waiting and at most 10 may") as caught:
            await lane.run(rows(1, 2, 3))
        assert caught.value.headers == {"Retry-After": "1"}
        fits = asyncio.create_task(lane.run(rows(1, 2)))
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, waiting, fits)
        (alone,) = await lane.run(rows(*range(100)))  # where nothing waits, any request fits
        assert len(alone) == 100

    play(scenario, max_queued_rows=10)


def test_an_error_frees_its_rows() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        for _attempt in range(3):
            with pytest.raises(NotFinite):
                await lane.run(rows(POISON))
        assert (await lane.run(rows(1)))[0].tolist() == [[2]]

    play(scenario, max_queued_rows=1)


def at_once(running: Coroutine[Any, Any, tuple[Rows, ...]]) -> list[float] | None:
    """What a request gives without waiting for anything; None where it waits."""
    try:
        running.send(None)
    except StopIteration as done:
        answer: list[float] = done.value[0].ravel().tolist()
        return answer
    running.close()
    return None


FAST = Pace(first=1e-5, per_row=1.6e-4)
"""Five rows take what a run on the event loop may take."""


def test_a_small_run_of_a_fast_model_stays_on_the_event_loop_and_is_shared() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        answers = await asyncio.gather(*(lane.run(rows(n)) for n in range(5)))
        assert [answer[0].item() for answer in answers] == [0, 2, 4, 6, 8]
        for n in range(20):
            await lane.run(rows(n))
        assert double.threads == {threading.main_thread().name}
        await asyncio.gather(*(lane.run(rows(n)) for n in range(6)))
        assert len(double.threads) == 2

    assert [len(run) for run in play(scenario, pace=FAST, threads=2).runs] == [5, *[1] * 20, 6]


def test_a_run_waits_while_every_turn_of_the_event_loop_brings_more() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        waiting = []
        for n in range(3):
            waiting.append(asyncio.create_task(lane.run(rows(n))))
            await turns(1)
        assert double.runs == []
        await turns(2)  # the first of these brings nothing
        assert double.runs == [[0, 1, 2]]
        for n in range(3, 5):  # and again
            waiting.append(asyncio.create_task(lane.run(rows(n))))
            await turns(1)
        assert double.runs == [[0, 1, 2]]
        await asyncio.gather(*waiting)

    assert play(scenario, pace=FAST, threads=2).runs == [[0, 1, 2], [3, 4]]


def test_the_statistics_count_what_was_queued_and_what_was_spared_the_queue() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        await asyncio.gather(*(lane.run(rows(n)) for n in range(4)))
        for n in range(LONELY + 3):
            await lane.run(rows(n))
            await turns(1)
        assert lane.runs.at_once == 3
        assert lane.runs.queue.count == 4 + LONELY + 3

    play(scenario, pace=FAST, threads=2)


def test_a_run_that_is_full_waits_for_nothing() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        waiting = [asyncio.create_task(lane.run(rows(n, n))) for n in range(2)]
        await turns(1)
        waiting.append(asyncio.create_task(lane.run(rows(9))))  # the fifth row
        await turns(2)
        waiting.append(asyncio.create_task(lane.run(rows(10))))
        assert double.runs == [[0, 0, 1, 1, 9]]
        await asyncio.gather(*waiting)

    assert play(scenario, pace=FAST, threads=2).runs[1:] == [[10]]


def test_on_one_core_short_runs_stay_on_the_event_loop_however_many_wait() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        turns: list[int] = []

        async def count_turns() -> None:
            while True:
                turns.append(len(double.runs))
                await asyncio.sleep(0)

        counting = asyncio.create_task(count_turns())
        answers = await asyncio.gather(*(lane.run(rows(n, n)) for n in range(4)), lane.run(rows(7)))
        counting.cancel()
        assert [answer[0].ravel().tolist()[0] for answer in answers] == [0, 2, 4, 6, 14]
        assert double.threads == {threading.main_thread().name}
        assert {1, 2} <= set(turns)  # others had their turn between the runs
        await lane.run(rows(*range(6)))
        assert len(double.threads) == 2

    assert [len(run) for run in play(scenario, pace=FAST).runs] == [4, 5, 6]


def test_on_one_core_a_request_that_leaves_no_room_for_another_is_run_at_once() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        assert at_once(lane.run(rows(1, 2, 3))) == [2, 4, 6]
        with pytest.raises(NotFinite):
            await lane.run(rows(POISON, 0, 0))
        await lane.run(rows(1))

    play(scenario, pace=FAST, max_queued_rows=1)


def test_no_more_runs_on_the_event_loop_than_one_a_turn() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        await asyncio.gather(*(lane.run(rows(n)) for n in range(4)))
        assert threading.main_thread().name not in double.threads

    play(scenario, pace=FAST, rows_per_run=2, threads=2)


def test_a_slow_model_has_small_runs() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        await lane.run(rows(*range(5)))

    assert sorted(len(run) for run in play(scenario, pace=Pace(first=1.0, per_row=0.0025)).runs) == [1, 2, 2]


def test_one_wake_up_of_the_event_loop_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[object] = []

    async def scenario(lane: Lane, double: Doubling) -> None:
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe
        first = await behind(lane, double)
        others = [asyncio.create_task(lane.run(rows(n))) for n in range(6)]
        await asyncio.sleep(0)

        def counted(*arguments: Any) -> Any:
            woken.append(arguments)
            return wake(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        double.gate.set()
        await asyncio.gather(first, *others)

    assert play(scenario).runs == [[0], [0, 1, 2, 3, 4, 5]]
    assert len(woken) == 2


def test_without_batching_each_request_has_a_run_of_its_own() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        first = await behind(lane, double)
        others = [asyncio.create_task(lane.run(rows(n, n))) for n in range(3)]
        await asyncio.sleep(0)
        double.gate.set()
        await asyncio.gather(first, *others)

    assert play(scenario, share=False).runs == [[0], [0, 0], [1, 1], [2, 2]]


def test_several_runs_go_at_once_where_there_are_threads() -> None:
    both = threading.Barrier(2)

    def meet(batch: Rows) -> tuple[Rows]:
        both.wait(30)  # breaks unless two runs are here together
        return (batch,)

    async def scenario() -> None:
        batcher = Batcher(2, 1000)
        lane = batcher.lane(meet, SLOW, 4)
        await lane.run(rows(*range(8)))
        batcher.close()

    asyncio.run(scenario())


def test_a_busy_lane_does_not_starve_another() -> None:
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
        busy, other = batcher.lane(named("busy"), SLOW, 1), batcher.lane(named("other"), SLOW, 1)
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


def test_closing_finishes_what_was_accepted() -> None:
    async def scenario() -> None:
        double = Doubling()
        double.gate.clear()
        batcher = Batcher(1, 1000)
        lane = batcher.lane(double, SLOW, 8)
        waiting = [asyncio.create_task(lane.run(rows(*range(n, n + 8)))) for n in (1, 2, 3)]
        while not double.started.is_set():
            await asyncio.sleep(0.001)
        threading.Timer(0.05, double.gate.set).start()
        batcher.close()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("model")]
        assert [answer[0][0].item() for answer in await asyncio.gather(*waiting)] == [2, 4, 6]

    asyncio.run(scenario())


def test_a_request_that_comes_alone_is_run_at_once_until_others_come() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        assert at_once(lane.run(rows(1))) is None  # nobody knows yet
        await turns(2)
        for n in range(LONELY):
            await lane.run(rows(n))
            await asyncio.sleep(0)
        for n in range(3):
            assert at_once(lane.run(rows(n))) == [2 * n]
            await asyncio.sleep(0)
        assert at_once(lane.run(rows(1))) == [2]
        assert at_once(lane.run(rows(2))) is None  # the second one in a turn
        await turns(2)
        assert at_once(lane.run(rows(3))) is None
        await turns(2)
        answers = await asyncio.gather(*(lane.run(rows(n)) for n in range(5)))
        assert [answer[0].item() for answer in answers] == [0, 2, 4, 6, 8]

    assert play(scenario, pace=FAST, threads=2).runs[-1] == [0, 1, 2, 3, 4]


def test_one_turn_with_company_ends_the_loneliness() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        for _turn in range(LONELY - 1):
            await lane.run(rows(1))
        await asyncio.gather(lane.run(rows(1)), lane.run(rows(2)))
        await lane.run(rows(1))
        assert at_once(lane.run(rows(1))) is None

    play(scenario, pace=FAST, threads=2)


def test_where_there_are_cores_a_request_that_leaves_no_room_is_queued_like_others() -> None:
    async def scenario(lane: Lane, _: Doubling) -> None:
        assert at_once(lane.run(rows(1, 2, 3))) is None

    play(scenario, pace=FAST, threads=2)


def test_a_lonely_request_that_takes_long_goes_to_a_thread() -> None:
    async def scenario(lane: Lane, double: Doubling) -> None:
        for n in range(2 * LONELY):
            await lane.run(rows(n))
        await lane.run(rows(*range(6)))
        assert len(double.threads) == 2

    play(scenario, pace=FAST, threads=2)
