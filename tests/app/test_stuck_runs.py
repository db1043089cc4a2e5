"""Runs that do not end, in a real server: others are answered in time, and the process ends when it is asked to."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx

from tests.helpers import tiny
from tests.helpers.endless import ENDLESS, write_endless
from tests.helpers.process import serving

LONG = 5000
"""Turns of a loop that take too long for a run on the event loop."""


def encode(address: str, name: str, number: float) -> httpx.Response:
    """Encode one sample of the same numbers."""
    return httpx.post(f"{address}/v1/models/{name}/encode", json={"samples": [[number] * 4]}, timeout=30)


def test_a_stuck_run_is_stopped_and_meanwhile_others_expire_in_time(tmp_path: Path) -> None:
    for name in ("endless", "other"):
        write_endless(tmp_path, name, turns=LONG)
    settings = {"models_dir": str(tmp_path), "threads": "1", "run_seconds": "2", "queue_seconds": "0.3"}
    with serving(**settings) as (_, address, lines):
        answers: list[httpx.Response] = []
        sender = threading.Thread(target=lambda: answers.append(encode(address, "endless", ENDLESS)))
        start = time.monotonic()
        sender.start()
        time.sleep(0.2)  # it runs now, or will before the next
        late = encode(address, "other", 0.5)
        waited = time.monotonic() - start
        assert (late.status_code, late.json()["code"]) == (504, "expired")
        assert httpx.get(f"{address}/livez").status_code == 200
        sender.join(30)
        assert (answers[0].status_code, answers[0].json()["code"]) == (504, "run-too-long")
        assert waited < 1.9 < time.monotonic() - start  # the thread was still stuck
        assert encode(address, "other", 0.5).json()["latents"] == [[1, 1]]
        assert any("run stopped" in line for line in lines)


def test_a_stuck_run_on_the_event_loop_is_stopped(tmp_path: Path) -> None:
    write_endless(tmp_path)
    with serving(models_dir=str(tmp_path), threads="1", run_seconds="0.5") as (_, address, _lines):
        assert encode(address, "endless", ENDLESS).json()["code"] == "run-too-long"
        assert encode(address, "endless", 0.5).json()["latents"] == [[1, 1]]


def test_sigterm_ends_the_process_although_a_run_cannot_be_stopped(tmp_path: Path) -> None:
    write_endless(tmp_path, turns=LONG, stoppable=False)
    tiny.write_version(tmp_path, "tiny")
    settings = {"models_dir": str(tmp_path), "threads": "1", "run_seconds": "0", "shutdown_seconds": "1"}
    with serving(**settings) as (process, address, _):
        sender = threading.Thread(target=ignore_errors, args=(address,))
        sender.start()
        time.sleep(1)  # the request has no answer that would say that it runs
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        sender.join(30)


def ignore_errors(address: str) -> None:
    """Send a request that ends with the process."""
    try:
        encode(address, "endless", ENDLESS)
    except httpx.HTTPError:
        return
