"""Edges and ranks of a latent ascend together."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from app.engine.drift.ranks import MAX_LATENT_EDGES, LatentRanks


def test_a_latent_may_have_no_edges_and_at_most_fifteen() -> None:
    assert LatentRanks(edges=(), ranks=()).edges == ()
    numbers = tuple(range(MAX_LATENT_EDGES))
    assert LatentRanks(edges=tuple(map(float, numbers)), ranks=numbers).ranks == numbers
    with pytest.raises(ValidationError, match="at most 15"):
        LatentRanks(edges=tuple(map(float, range(16))), ranks=tuple(range(16)))


@pytest.mark.parametrize(
    ("edges", "ranks"), [((0.0, 0.0), (1, 2)), ((1.0, 0.0), (1, 2)), ((0.0, 1.0), (2, 2)), ((0.0, 1.0), (2, 1))]
)
def test_numbers_that_do_not_ascend_are_refused(edges: tuple[float, ...], ranks: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="must ascend"):
        LatentRanks(edges=edges, ranks=ranks)
