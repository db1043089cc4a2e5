"""Noise in training has the configured kind and amount."""

from __future__ import annotations

import pytest
import torch

from training.fitting.corruption import binarise, corrupt, draw_levels, relative_noise
from training.fitting.draws import Draws


def test_gaussian_noise_is_clipped_and_differs_between_calls() -> None:
    draws = Draws(0)
    x = torch.full((2000, 10), 0.5)
    first, second = (corrupt(x, "gaussian", 0.1, True, draws) for _ in range(2))
    assert first.std().item() == pytest.approx(0.1, abs=0.003)
    assert not torch.equal(first, second)
    strong = corrupt(x, "gaussian", 3.0, True, draws)
    assert strong.min() == 0
    assert strong.max() == 1


def test_each_samples_amount_is_drawn_from_the_interval() -> None:
    x = torch.full((500, 1000), 0.5)
    levels = corrupt(x, "gaussian", draw_levels(500, 2, (0.0, 0.1), 1.0, Draws(0)), True, Draws(1)).std(dim=1)
    assert levels.min() < 0.01
    assert levels.max() > 0.09
    assert levels.mean().item() == pytest.approx(0.05, abs=0.005)


def test_a_power_above_1_makes_small_amounts_likelier() -> None:
    levels = draw_levels(4000, 4, (0.2, 0.6), 2.0, Draws(0))
    assert levels.shape == (4000, 1, 1, 1)
    assert 0.2 <= levels.min() < levels.max() < 0.6
    assert (levels < 0.3).float().mean().item() == pytest.approx(0.5, abs=0.03)  # a quarter of the interval


def test_relative_noise_is_measured_in_the_values_own_deviation() -> None:
    values = 100 * torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    noisy = relative_noise(values, 0.3, Draws(1))
    assert (noisy - values).std().item() == pytest.approx(30, rel=0.03)


def test_noise_on_standardised_values_is_not_clipped() -> None:
    strong = corrupt(torch.zeros(100, 10), "gaussian", 3.0, False, Draws(0))
    assert strong.min() < -3
    assert strong.max() > 3


def test_masking_sets_its_share_to_zero_and_keeps_the_rest() -> None:
    x = torch.full((1000, 50), 0.7)
    noisy = corrupt(x, "masking", 0.25, True, Draws(0))
    assert sorted(noisy.unique().tolist()) == pytest.approx([0.0, 0.7])
    assert (noisy == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_salt_and_pepper_have_equal_shares() -> None:
    x = torch.full((1000, 50), 0.7)
    noisy = corrupt(x, "salt-and-pepper", 0.2, True, Draws(0))
    shares = [(noisy == value).float().mean().item() for value in (0.0, 1.0)]
    assert shares == pytest.approx([0.1, 0.1], abs=0.01)


def test_dynamic_binarisation_uses_the_value_as_the_probability_of_one() -> None:
    x, draws = torch.full((1000, 50), 0.3), Draws(0)
    first, second = binarise(x, "dynamic", draws), binarise(x, "dynamic", draws)
    assert first.unique().tolist() == [0.0, 1.0]
    assert first.mean().item() == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(first, second)
    ends = torch.tensor([[0.0, 1.0]])
    assert torch.equal(binarise(ends, "dynamic", draws), ends)


def test_threshold_rounds_and_none_changes_nothing() -> None:
    x = torch.tensor([[0.2, 0.5, 0.9]])
    assert binarise(x, "threshold", Draws(0)).tolist() == [[0.0, 1.0, 1.0]]
    assert torch.equal(binarise(x, "none", Draws(0)), x)
