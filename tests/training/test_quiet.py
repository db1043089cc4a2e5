"""Loggers are quiet inside the block and as before after it."""

from __future__ import annotations

import logging

import pytest

from training.quiet import only_errors


def test_only_errors_pass_until_the_block_ends(caplog: pytest.LogCaptureFixture) -> None:
    noisy = logging.getLogger("noisy")
    noisy.setLevel(logging.INFO)
    with pytest.raises(ValueError, match="broken"), only_errors("noisy"):
        noisy.warning("hidden")
        noisy.error("shown")
        raise ValueError("broken")
    noisy.info("shown again")
    assert [record.message for record in caplog.records] == ["shown", "shown again"]
