"""Calls run on threads, which end with the process even if a call does not."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from structlog.testing import capture_logs

from app.engine.threads import Threads


def test_calls_run_at_once_up_to_the_number_of_threads() -> None:
    threads, both, names = Threads(2, "test"), threading.Barrier(2), list[str]()

    def meet(seconds: float) -> None:
        both.wait(seconds)  # breaks unless two calls are here together
        names.append(threading.current_thread().name)

    for _call in range(4):
        threads.submit(meet, 30)
    assert threads.close(30)
    assert len(names) == 4
    assert set(names) == {"test_0", "test_1"}


def test_a_failed_call_is_logged_and_the_next_is_made() -> None:
    threads, done = Threads(1, "test"), threading.Event()
    with capture_logs() as lines:
        threads.submit(int, "one")
        threads.submit(done.set)
        assert done.wait(10)
    assert [line["event"] for line in lines] == ["unexpected exception on a thread"]
    assert threads.close(10)


def test_closing_does_not_wait_for_a_call_that_does_not_end() -> None:
    threads, gate, start = Threads(1, "test"), threading.Event(), time.monotonic()
    threads.submit(gate.wait, 30)
    assert not threads.close(0.05)
    assert time.monotonic() - start < 10
    with pytest.raises(RuntimeError, match="closed"):
        threads.submit(print)
    gate.set()
    assert threads.close(10)


def test_threads_that_were_never_needed_are_not_started() -> None:
    before = threading.active_count()
    threads = Threads(8, "test")
    assert threading.active_count() == before
    assert threads.close(0)


def test_a_process_ends_although_a_call_does_not() -> None:
    program = (
        "import threading; from app.engine.threads import Threads;"
        "threads = Threads(1, 'test'); threads.submit(threading.Event().wait); print(threads.close(0.1))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert ended.stdout == "False\n"
