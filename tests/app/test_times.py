"""The clock of a request belongs to one asyncio task."""

from __future__ import annotations

import asyncio

from app.times import REQUEST_TIMES, RequestTimes, now


def test_parts_that_a_request_does_not_have_take_no_time() -> None:
    times = RequestTimes()
    times.start = now()
    assert (times.received, times.decoded, times.computed, times.encoded, times.queue, times.compute) == (0,) * 6
    assert RequestTimes().start == 0


def test_concurrent_requests_have_clocks_of_their_own() -> None:
    async def answer(times: RequestTimes) -> RequestTimes | None:
        REQUEST_TIMES.set(times)
        await asyncio.sleep(0)
        return REQUEST_TIMES.get()

    async def scenario() -> None:
        clocks = [RequestTimes(), RequestTimes()]
        assert await asyncio.gather(*map(answer, clocks)) == clocks
        assert REQUEST_TIMES.get() is None

    asyncio.run(scenario())
