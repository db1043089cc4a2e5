"""The bytes among the facts of a request."""

from __future__ import annotations

import pytest

from app.errors import Overloaded
from app.server.budget import Budget
from app.server.facts import RequestFacts


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
