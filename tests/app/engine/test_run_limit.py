"""Runs past the limit are stopped; those that cannot be stopped are reported."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from app.engine import run_limit
from app.engine.autoencoder import Autoencoder
from app.engine.run_limit import CURRENT_RUN, RunLimit
from app.errors import NotFinite, RunTooLong
from app.manifest import Manifest
from tests.helpers.endless import ENDLESS, write_endless

ENDLESS_SAMPLES = np.full((1, 1, 2, 2), ENDLESS, np.float32)
USUAL = np.full((1, 1, 2, 2), 0.5, np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Autoencoder:
    """Open a model whose encoder never ends for ENDLESS."""
    folder = write_endless(tmp_path_factory.mktemp("models"))
    return Autoencoder.open(folder, Manifest.read(folder))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, for at most 10 s."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_run_past_the_limit_is_stopped(model: Autoencoder) -> None:
    limit, start = RunLimit(0.1), time.monotonic()
    with pytest.raises(RunTooLong, match=r"the model ran for more than 0\.1 s, and was stopped"):
        limit.run(model.run_mean, ENDLESS_SAMPLES)
    assert 0.1 <= time.monotonic() - start < 5
    assert limit.run(model.run_mean, USUAL)[0].tolist() == [[1, 1]]
    limit.close()


def test_a_run_of_several_graphs_is_stopped_in_any_of_them(model: Autoencoder) -> None:
    limit = RunLimit(0.1)
    with pytest.raises(RunTooLong):
        limit.run(model.run_round_trip, ENDLESS_SAMPLES)
    with pytest.raises(RunTooLong):
        limit.run(model.run_mean, np.concatenate([USUAL] * 300 + [ENDLESS_SAMPLES]))
    limit.close()


def test_without_a_limit_a_run_can_be_ended(model: Autoencoder) -> None:
    limit, errors = RunLimit(), list[Exception]()

    def run() -> None:
        try:
            limit.run(model.run_mean, ENDLESS_SAMPLES)
        except RunTooLong as error:
            errors.append(error)

    before = threading.active_count()
    thread = threading.Thread(target=run)
    thread.start()
    assert threading.active_count() == before + 1  # nobody watches
    while thread.is_alive():
        limit.end_runs()
        thread.join(0.01)
    assert len(errors) == 1
    assert not limit.is_exceeded()


def test_an_error_of_a_run_stays_as_it_is() -> None:
    def fail(_: object) -> None:
        assert CURRENT_RUN.options is not None
        raise NotFinite("thirteen")

    limit = RunLimit(60)
    with pytest.raises(NotFinite, match="thirteen"):
        limit.run(fail, USUAL)
    assert CURRENT_RUN.options is None
    limit.close()


def test_a_run_that_cannot_be_stopped_is_reported_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_limit, "GRACE_SECONDS", 0.05)
    limit, gate, started = RunLimit(0.05), threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        gate.wait(30)

    assert not limit.is_exceeded()
    thread = threading.Thread(target=limit.run, args=(block,))
    thread.start()
    assert started.wait(10)
    wait_until(limit.is_exceeded)
    gate.set()
    thread.join(10)
    assert not limit.is_exceeded()
    limit.close()


def test_closing_ends_the_thread_that_watches() -> None:
    before = threading.enumerate()
    limit = RunLimit(0.05)
    (watching,) = [thread for thread in threading.enumerate() if thread not in before]
    limit.close()
    watching.join(10)
    assert not watching.is_alive()
