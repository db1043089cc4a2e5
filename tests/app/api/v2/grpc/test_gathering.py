"""Calls of a few turns go on together, and a lone client is not held up."""

from __future__ import annotations

import asyncio

from app.api.v2.grpc.gathering import LONE_CALLS, MAX_CALLS, QUIET_TURNS, Gathering


async def turns(count: int) -> None:
    """Let turns of the event loop pass."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_calls_of_successive_turns_go_on_in_one() -> None:
    async def gathered() -> list[int]:
        gathering, finished, turn = Gathering(), [], 0

        async def call() -> None:
            await gathering.join()
            finished.append(turn)

        tasks = []
        for _ in range(5):
            tasks.append(asyncio.create_task(call()))
            await turns(QUIET_TURNS - 1)
        for turn in range(1, 20):  # noqa: B007
            await turns(1)
        await asyncio.gather(*tasks)
        return finished

    first, *others = asyncio.run(gathered())
    assert others == [first] * 4
    assert first > 0


def test_no_more_than_the_most_calls_wait_for_each_other() -> None:
    async def gathered() -> int:
        gathering, finished = Gathering(), 0

        async def call() -> None:
            nonlocal finished
            await gathering.join()
            finished += 1

        for _ in range(MAX_CALLS):
            asyncio.ensure_future(call())  # noqa: RUF006
        await turns(4)
        return finished

    assert asyncio.run(gathered()) == MAX_CALLS


def test_a_cancelled_call_does_not_hold_up_the_others() -> None:
    async def gathered() -> None:
        gathering = Gathering()
        first, second = asyncio.create_task(gathering.join()), asyncio.create_task(gathering.join())
        await turns(1)
        first.cancel()
        await asyncio.wait_for(second, 5)
        assert first.cancelled()

    asyncio.run(gathered())


def test_a_lone_client_is_held_up_only_now_and_then() -> None:
    async def held_up(gathering: Gathering) -> bool:
        """Return True if a call waits."""
        task = asyncio.ensure_future(gathering.join())
        await turns(1)
        waits = not task.done()
        await task
        return waits

    async def run() -> None:
        gathering = Gathering()
        assert [await held_up(gathering) for _ in range(LONE_CALLS)] == [True] * LONE_CALLS
        for _ in range(3):
            calls = [await held_up(gathering) for _ in range(LONE_CALLS + 1)]
            assert calls == [False] * LONE_CALLS + [True]
        await asyncio.gather(*[gathering.join() for _ in range(LONE_CALLS + 2)])  # others come
        assert await held_up(gathering)

    asyncio.run(run())
