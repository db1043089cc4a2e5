"""The bytes of a request are counted before its model runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from app.api.holding import hold_rows
from app.api.state import State
from app.engine.repository import load_version
from app.errors import Overloaded
from app.main import build_app
from app.server.budget import MEBIBYTE, Budget
from app.server.facts import RequestFacts
from tests.helpers.applications import state_over

JSON, NPY = "application/json", "application/x-npy"


@pytest.fixture
def state(tiny_models: Path) -> Iterator[State]:
    """Give a state over a model of 4 numbers and 2 latents, whose answers may have 10 000 rows."""
    model = load_version(tiny_models / "tiny-vae" / "1", "tiny-vae", 1)
    state = state_over(model, max_rows=10_000)
    yield state
    state.close()


@pytest.mark.parametrize(
    ("rows", "outputs", "expected"),
    [
        (1000, [("samples", NPY)], 64 + 1000 * 4 * (4 + 4)),
        (1000, [("samples", JSON)], 64 + 1000 * 4 * (4 + 12)),
        (1000, [("latents", JSON)], 64 + 1000 * 2 * (4 + 12)),
        (1000, [("samples", NPY), ("errors", JSON)], 64 + 1000 * 4 * (4 + 4) + 1000 * (4 + 12)),
        (10**9, [("samples", NPY)], 64 + 10_000 * 4 * (4 + 4)),
    ],
)
def test_input_arrays_and_answer_are_counted(
    state: State, rows: int, outputs: list[tuple[str, str]], expected: int
) -> None:
    facts: Any = RequestFacts()
    facts.budget = Budget(expected)
    hold_rows(facts, 64, rows, outputs, state.catalog.get("tiny-vae"))
    assert facts.held == expected
    facts.hold(0)
    facts.budget.add(1)
    with pytest.raises(Overloaded):
        hold_rows(facts, 64, rows, outputs, state.catalog.get("tiny-vae"))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/tiny-vae/generate?count=10000", None),
        ("/v1/models/tiny-vae/interpolate?steps=10000", {"samples": [[0.25, 0.75, 0.5, 0]] * 2}),
        ("/v1/models/tiny-vae/decode", {"latents": np.zeros((10_000, 2)).tolist()}),
        ("/v2/models/tiny-vae.generate/infer", {"parameters": {"count": 10_000}}),
    ],
)
def test_a_request_that_does_not_fit_is_refused_before_it_is_computed(state: State, path: str, body: Any) -> None:
    runs = state.catalog.get("tiny-vae").runs["decode"]
    with TestClient(build_app(state)) as client:
        state.budget.add(256 * MEBIBYTE - 320_000)  # the answer alone takes 480 000 or more
        before = runs.last
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "overloaded", "1")
        assert runs.last == before
        state.budget.add(320_000 - 256 * MEBIBYTE)
        assert client.post(path, json=body).status_code == 200
        assert state.budget.total == 0


def test_too_many_rows_are_an_error_of_their_own_also_when_much_is_held(state: State) -> None:
    with TestClient(build_app(state)) as client:
        assert client.post("/v1/models/tiny-vae/generate?count=1000000000").json()["code"] == "too-many-rows"
