"""The comparison of shared and separate runs: the two servers, and the rows of the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.serving.sharing import rows, variant
from tests.helpers.bench import timed


@pytest.mark.parametrize(("name", "batching"), [("shared", "true"), ("separate", "false")])
def test_the_servers_differ_in_one_setting_and_keep_to_their_cores(name: str, batching: str) -> None:
    server = variant("dense", name, {0, 3})
    assert server.environment["HOURGLASS_BATCHING"] == batching
    command = server.start(80, Path("/models/bench-dense/1"))
    assert command[:3] == ["taskset", "-c", "0,3"]
    assert "HOURGLASS_MODELS_DIR=/models" in command


def test_on_one_core_the_cpu_time_decides() -> None:
    timings = {("json-1", 16): {"separate": [timed(97.0, 10.0)] * 3, "shared": [timed(100.0, 1000.0)] * 3}}
    (line,) = rows("dense", 1, timings)
    assert line == ["dense", "1", "json-1", "16", "97.0", "100.0", "0.970", "0.970 to 0.970", "missed"]


def test_on_two_cores_the_answers_a_second_decide() -> None:
    separate, shared = [timed(100.0, 100.0)] * 3, [timed(300.0, rate) for rate in (90.0, 99.0, 200.0)]
    (line,) = rows("conv", 2, {("binary-32", 64): {"separate": separate, "shared": shared}})
    assert line[-3:] == ["0.990", "0.900 to 2.000", ""]
