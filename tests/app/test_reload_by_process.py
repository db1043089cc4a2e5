"""The command `hourglass` follows its repository, in one process and in several."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.helpers import tiny
from tests.helpers.process import serving

PATIENCE_SECONDS = 60


def events(lines: list[str], event: str, version: int) -> int:
    """Return the number of the log's lines about a version."""
    objects = [json.loads(line) for line in list(lines)]
    return sum(line["event"] == event and line.get("version") == version for line in objects)


def default_versions(address: str) -> set[int]:
    """Return the default versions of `tiny` over twenty connections: each may reach another worker."""
    return {int(httpx.get(f"{address}/v1/models/tiny").json()["version"]) for _ in range(20)}


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition of other processes holds, for a bounded time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
def test_all_workers_serve_a_new_version_and_fall_back(tmp_path: Path, workers: int) -> None:
    tiny.write_version(tmp_path)
    with serving(models_dir=str(tmp_path), workers=str(workers), reload_seconds="0.05") as (_, address, lines):
        wait_until(lambda: sum("startup complete" in line for line in list(lines)) == workers)
        tiny.write_version(tmp_path, version=2)
        wait_until(lambda: events(lines, "version loaded", 2) == workers)
        wait_until(lambda: default_versions(address) == {2})
        (tmp_path / "tiny" / "2").rename(tmp_path / "tiny" / ".2.gone")
        wait_until(lambda: events(lines, "version removed", 2) == workers)
        wait_until(lambda: default_versions(address) == {1})
