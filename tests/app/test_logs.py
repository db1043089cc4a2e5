"""Log lines are JSON unless stderr is a terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

from tests.helpers.process import serving

PROGRAM = """
import logging, structlog
from app.logs import configure_logging
configure_logging("warning")
structlog.get_logger("ours").info("too mild")
structlog.get_logger("ours").warning("version skipped", model="tiny")
logging.getLogger("theirs").warning("line %d", 7)
"""


def test_lines_of_every_logger_are_json_from_the_level_on() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ours, theirs = (json.loads(line) for line in ended.stderr.splitlines())
    assert (ours["event"], ours["model"], ours["level"], ours["logger"]) == (
        "version skipped",
        "tiny",
        "warning",
        "ours",
    )
    assert (theirs["event"], theirs["logger"]) == ("line 7", "theirs")
    assert ours["timestamp"].endswith("Z")
    assert ended.stdout == ""


def test_each_line_of_the_servers_log_is_a_json_object(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models)) as (_, address, lines):
        httpx.get(f"{address}/livez")
        events = [json.loads(line) for line in list(lines)]
        assert {"event", "level", "timestamp"} <= events[0].keys()
        assert "version loaded" in {event["event"] for event in events}
