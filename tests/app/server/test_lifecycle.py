"""A process is ready between its start and its drain."""

from __future__ import annotations

from app.server.lifecycle import Lifecycle


def test_a_process_is_ready_between_start_and_drain() -> None:
    lifecycle = Lifecycle()
    assert not lifecycle.ready
    lifecycle.start()
    assert lifecycle.ready
    lifecycle.drain()
    assert (lifecycle.ready, lifecycle.draining) == (False, True)


def test_a_signal_before_the_start_keeps_the_process_unready() -> None:
    lifecycle = Lifecycle()
    lifecycle.drain()
    lifecycle.start()
    assert not lifecycle.ready
