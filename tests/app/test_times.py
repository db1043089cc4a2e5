"""The clock of a request."""

from __future__ import annotations

import re

import pytest

from app.times import RequestTimes, now


def test_server_timing_lists_the_parts_in_milliseconds() -> None:
    times = RequestTimes()
    times.start = now() - 1
    times.received, times.decoded, times.computed, times.encoded = 0.0, 0.002, 0.25, 0.2515
    times.queue, times.compute = 0.003, 0.1
    header = times.server_timing().decode()
    parts = re.fullmatch(
        r"decode;dur=2\.000, queue;dur=3\.000, compute;dur=100\.000, encode;dur=1\.500, total;dur=(\d+\.\d{3})", header
    )
    assert parts is not None
    assert float(parts.group(1)) == pytest.approx(1000, abs=200)


def test_parts_that_a_request_does_not_have_take_no_time() -> None:
    header = RequestTimes().server_timing().decode()
    assert header.startswith("decode;dur=0.000, queue;dur=0.000, compute;dur=0.000, encode;dur=0.000, total;dur=")
