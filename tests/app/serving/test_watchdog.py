"""A process ends in time, although a thread of it does not."""

from __future__ import annotations

import subprocess
import sys

STUCK = """
import sys, threading
from app.serving.watchdog import Watchdog
watchdog = Watchdog()
watchdog.arm(3600)
watchdog.arm(0.1)
threading.Thread(target=threading.Event().wait).start()
"""
DISARMED = "from app.serving.watchdog import Watchdog; w = Watchdog(); w.arm(3600); w.disarm()"


def test_a_process_ends_although_a_thread_never_does() -> None:
    ended = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 0
    assert "ended without waiting for threads" in ended.stderr


def test_a_disarmed_watchdog_says_nothing() -> None:
    ended = subprocess.run([sys.executable, "-c", DISARMED], capture_output=True, text=True, timeout=30)
    assert (ended.returncode, ended.stderr) == (0, "")
