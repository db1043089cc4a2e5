"""Fixtures: the check that `hourglass import` refuses a pair of graphs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.imports import Change, CheckRefusal, assert_refused


@pytest.fixture
def check_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CheckRefusal:
    """Return a function that changes a valid pair, imports it, and checks the message of its refusal."""

    def check(change: Change, options: tuple[str, ...], message: str) -> None:
        assert_refused(tmp_path, capsys, change, options, message)

    return check
