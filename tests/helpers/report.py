"""Lines that tests print although they pass."""

from __future__ import annotations

import sys

import pytest


def print_line(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print a line past pytest's capture."""
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
