"""Loggers are quiet inside the block and as before after it."""

from __future__ import annotations

import contextlib
import logging

import pytest

from training.quiet import only_errors


def test_only_errors_pass_inside_the_block(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("noisy")
    logger.setLevel(logging.INFO)
    with only_errors("noisy"):
        logger.warning("hidden")
        logger.error("shown")
    logger.info("shown again")
    assert [record.message for record in caplog.records] == ["shown", "shown again"]


def test_the_level_is_restored_after_an_error() -> None:
    logger = logging.getLogger("noisy")
    logger.setLevel(logging.INFO)
    with contextlib.suppress(ValueError), only_errors("noisy"):
        raise ValueError("broken")
    assert logger.level == logging.INFO
