"""The threads that run models, and the error for too many waiting rows."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from app.engine import batcher as batcher_module
from app.engine.batcher import Batcher
from app.engine.repository import load_version
from app.errors import RunTooLong
from tests.helpers.endless import ENDLESS, write_endless


def test_the_error_for_too_many_rows_says_how_many_wait_and_when_to_retry() -> None:
    batcher = Batcher(1, max_queued_rows=10)
    batcher.rows += 8
    error = batcher.overloaded()
    assert error.detail == "8 rows are waiting and at most 10 may; send the request again later"
    assert error.headers == {"Retry-After": "1"}
    batcher.close()


@pytest.mark.parametrize(("threads", "one_core"), [(1, True), (2, False)])
def test_one_thread_means_one_core(threads: int, one_core: bool) -> None:
    batcher = Batcher(threads, max_queued_rows=10)
    assert batcher.one_core == one_core
    batcher.close()


def test_closing_finishes_the_accepted_runs_and_ends_the_threads() -> None:
    batcher, gate = Batcher(1, max_queued_rows=10), threading.Event()
    threads: list[threading.Thread] = []
    batcher.threads.submit(gate.wait, 30)
    batcher.threads.submit(lambda: threads.append(threading.current_thread()))
    threading.Timer(0.05, gate.set).start()
    batcher.close()
    assert [thread.is_alive() for thread in threads] == [False]


def test_closing_stops_a_run_that_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batcher_module, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(batcher_module, "STOP_SECONDS", 10)
    model, errors = load_version(write_endless(tmp_path), "endless", 1), list[Exception]()
    batcher = Batcher(1, max_queued_rows=10)  # without a limit

    def run() -> None:
        try:
            batcher.limit.run(model.run_mean, np.full((1, 1, 2, 2), ENDLESS, np.float32))
        except RunTooLong as error:
            errors.append(error)

    batcher.threads.submit(run)
    batcher.close()
    assert len(errors) == 1
