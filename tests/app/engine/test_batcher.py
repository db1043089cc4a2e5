"""The bound on the rows that wait, and the threads that run models."""

from __future__ import annotations

import threading

import pytest

from app.engine.batcher import Batcher
from app.errors import Overloaded


def test_rows_are_admitted_up_to_the_limit_and_again_after_their_release() -> None:
    batcher = Batcher(1, max_queued_rows=10)
    batcher.admit(8)
    with pytest.raises(Overloaded, match="8 rows are waiting and at most 10 may") as caught:
        batcher.admit(3)
    assert caught.value.headers == {"Retry-After": "1"}
    batcher.admit(2)
    batcher.release(8)
    batcher.admit(8)
    batcher.close()


def test_any_request_is_admitted_if_nothing_waits() -> None:
    batcher = Batcher(1, max_queued_rows=10)
    batcher.admit(1000)
    with pytest.raises(Overloaded):
        batcher.admit(1)
    batcher.close()


@pytest.mark.parametrize(("threads", "one_core"), [(1, True), (2, False)])
def test_one_thread_means_one_core(threads: int, one_core: bool) -> None:
    batcher = Batcher(threads, max_queued_rows=10)
    assert batcher.one_core == one_core
    batcher.close()


def test_closing_finishes_the_accepted_runs_and_ends_the_threads() -> None:
    batcher = Batcher(1, max_queued_rows=10)
    gate = threading.Event()
    runs = [batcher.pool.submit(gate.wait, 30), batcher.pool.submit(gate.is_set)]
    threading.Timer(0.05, gate.set).start()
    batcher.close()
    assert [run.result(timeout=0) for run in runs] == [True, True]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("model")]
