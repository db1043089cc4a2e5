"""The example's page in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.browser import browse
from tests.helpers.process import environment

ROOT = Path(__file__).parents[2]


@pytest.mark.needs("chromium")
def test_the_page_shows_generated_digits(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "serve_page.py")],
        env={**environment(port="0", models_dir=str(ROOT / "models")), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        lines = (re.search(r"Uvicorn running on (http://[\d.]+:\d+)", line) for line in process.stderr)
        listening = next(filter(None, lines))
        document = browse(listening.group(1), tmp_path / "profile", "--dump-dom")
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stderr.close()
    assert re.search(r'<p id="seed"[^>]*>Seed: \d+</p>', document)  # set once the picture is decoded
    assert re.search(r'<img id="picture"[^>]* src="blob:', document)
