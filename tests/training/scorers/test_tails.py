"""Tails turn the values of any part into surprises in nats."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.scorers.tails import MAX_KNOTS, Tail, TailGraph

EXPONENTIAL = np.random.default_rng(0).exponential(3.0, 20_000)


def test_the_surprise_is_the_logarithm_of_the_share_of_larger_values() -> None:
    tail = Tail.of(EXPONENTIAL)
    values = np.array([1.0, 3.0, 9.0])
    np.testing.assert_allclose(tail.surprise(values), values / 3, atol=0.05)


def test_beyond_the_largest_value_the_surprise_grows_as_an_exponential_distribution_does() -> None:
    tail = Tail.of(EXPONENTIAL)
    far = np.array([60.0, 90.0, 3e6])
    np.testing.assert_allclose(tail.surprise(far), far / 3, rtol=0.1)


def test_values_of_one_size_have_a_tail() -> None:
    tail = Tail.of(np.full(5, 2.0))
    low, same, above = tail.surprise(np.array([1.0, 2.0, 2.1]))
    assert low == same == pytest.approx(-np.log(4.5 / 6))
    assert above > 100


def test_a_single_value_has_a_tail() -> None:
    assert Tail.of(np.array([0.0])).surprise(np.array([-1.0, 0.0])).tolist() == [pytest.approx(np.log(4))] * 2


def test_values_that_rounding_tells_apart_are_one_knot() -> None:
    tail = Tail.of(np.array([0.0, 1e-7, 2e-7, 1.0]))
    assert tail.knots.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("rows", [1, 2, 50, 5_000])
def test_the_graph_computes_what_numpy_does(rows: int) -> None:
    tail = Tail.of(EXPONENTIAL[:rows])
    assert len(tail.knots) <= min(rows, MAX_KNOTS + 2)
    values = np.linspace(-5, 100, 999).astype(np.float32)
    surprises = TailGraph(tail)(torch.from_numpy(values)).numpy()
    np.testing.assert_allclose(surprises, tail.surprise(values.astype(np.float64)), rtol=1e-4)


def test_the_surprise_never_falls() -> None:
    tail = Tail.of(np.random.default_rng(1).normal(size=300))
    assert (np.diff(tail.surprise(np.linspace(-4, 9, 2_000))) >= 0).all()
