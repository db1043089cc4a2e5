"""The calls of one request, counted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from app.main import create_app
from app.settings import Settings
from bench.request_path import Calls, post, trace

COROUTINES = """
import asyncio

async def inner():
    await asyncio.sleep(0)

async def outer():
    await inner()
    await asyncio.sleep(0)
"""


def test_a_stay_in_a_module_that_was_left_is_a_return() -> None:
    calls = Calls()
    calls.functions = [("a", "f"), ("a", "g"), ("b", "h"), ("a", "f"), ("c", "i")]
    assert calls.counts() == {"calls": 5, "modules": 3, "stays": 4, "returns": 1}


def test_a_resumed_coroutine_is_counted_once() -> None:
    module: dict[str, Any] = {"__name__": "app.some.module"}
    exec(COROUTINES, module)
    calls = Calls()

    async def run() -> None:
        with calls.recording():
            await module["outer"]()

    asyncio.run(run())
    assert calls.functions == [("some/module", "outer"), ("some/module", "inner")]


def test_a_warm_request_is_traced_from_the_gate_to_the_answer(tiny_models: Path) -> None:
    app = create_app(Settings(models_dir=tiny_models))
    content = post("/v1/models/tiny-ae/encode", {"samples": [[0, 0, 0, 0]]})
    calls = asyncio.run(trace(app, content))
    assert calls.functions[0] == ("server/gate", "Gate.__call__")
    assert [module for module, _ in calls.functions].count("tasks") == 1
    assert ("server/connection", "write_response") in calls.functions
