"""Pages in a headless Chromium, with no other host to reach."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.helpers.programs import program

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=20000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def browse(address: str, profile: Path, *more: str) -> str:
    """Open a page and return what the browser prints, such as the document with `--dump-dom`."""
    command = [program("chromium"), *OPTIONS, f"--user-data-dir={profile}", *more, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
