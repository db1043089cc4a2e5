"""The bytes among the facts of a request."""

from __future__ import annotations

import pytest

from app.errors import Overloaded
from app.server.budget import Budget
from app.server.facts import RequestFacts, server_timing


def facts_with(budget: Budget) -> RequestFacts:
    """Return the facts of a request."""
    facts = RequestFacts()
    facts.budget = budget
    return facts


def test_a_request_holds_one_amount_after_the_other() -> None:
    budget = Budget(100)
    one, other = facts_with(budget), facts_with(budget)
    one.hold(70)
    one.hold(60)
    other.hold(40)
    with pytest.raises(Overloaded):
        other.hold(41)
    assert (one.held, other.held, budget.total) == (60, 40, 100)
    other.hold_more(25)
    assert (other.held, budget.total) == (65, 125)
    one.hold(0)
    other.hold(0)
    assert budget.total == 0


def test_the_parts_are_in_the_header_in_milliseconds() -> None:
    assert server_timing((0.001, 0.0, 0.0123456, 2.0, 0.1)) == (
        b"decode;dur=1.000, queue;dur=0.000, compute;dur=12.346, encode;dur=2000.000, total;dur=100.000"
    )
