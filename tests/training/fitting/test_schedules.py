"""The learning rate and the weight of the KL term follow the step."""

from __future__ import annotations

import pytest

from training.config import VariationalObjective
from training.fitting.schedules import FINAL_RATE, kl_weight, learning_rate_factor


def test_the_learning_rate_rises_then_falls_along_a_cosine() -> None:
    factors = [learning_rate_factor(step, 100, "cosine") for step in range(101)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5 + 95 // 2] == pytest.approx((1 + FINAL_RATE) / 2, abs=0.02)
    assert factors[100] == pytest.approx(FINAL_RATE)


def test_a_constant_learning_rate_only_rises() -> None:
    assert [learning_rate_factor(step, 40, "constant") for step in (0, 1, 2, 39)] == [0.5, 1, 1, 1]


@pytest.mark.parametrize(("step", "weight"), [(0, 0.0), (25, 1.0), (50, 2.0), (500, 2.0)])
def test_the_kl_weight_rises_to_beta_over_the_warm_up(step: int, weight: float) -> None:
    objective = VariationalObjective(family="variational-autoencoder", beta=2.0, warmup_epochs=5)
    assert kl_weight(step, 10, objective) == weight


def test_the_kl_weight_is_beta_without_a_warm_up() -> None:
    assert kl_weight(0, 10, VariationalObjective(family="variational-autoencoder", beta=2.0)) == 2.0
