"""Noise in training: its level, its kind, its seed."""

from __future__ import annotations

import pytest
import torch

from training.fitting.corruption import binarise, corrupt, relative_noise
from training.fitting.draws import Draws
from training.fitting.ranks import Share


def test_gaussian_noise_is_clipped_and_drawn_anew() -> None:
    draws = Draws(0)
    x = torch.full((2000, 10), 0.5)
    first, second = (corrupt(x, "gaussian", (0.1, 0.1), True, draws) for _ in range(2))
    assert first.std().item() == pytest.approx(0.1, abs=0.003)
    assert not torch.equal(first, second)
    wild = corrupt(x, "gaussian", (3.0, 3.0), True, draws)
    assert wild.min() == 0
    assert wild.max() == 1


def test_the_noise_level_is_drawn_from_its_interval_for_each_sample() -> None:
    x = torch.full((500, 1000), 0.5)
    levels = corrupt(x, "gaussian", (0.0, 0.1), True, Draws(0)).std(dim=1)
    assert levels.min() < 0.01
    assert levels.max() > 0.09
    assert levels.mean().item() == pytest.approx(0.05, abs=0.005)


def test_noise_on_a_code_is_relative_to_its_spread() -> None:
    code = 100 * torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    noisy = relative_noise(code, 0.3, Draws(1))
    assert (noisy - code).std().item() == pytest.approx(30, rel=0.03)


def test_noise_on_standardised_values_is_not_clipped() -> None:
    wild = corrupt(torch.zeros(100, 10), "gaussian", (3.0, 3.0), False, Draws(0))
    assert wild.min() < -3
    assert wild.max() > 3


def test_masking_blanks_its_share_and_leaves_the_rest() -> None:
    x = torch.full((1000, 50), 0.7)
    noisy = corrupt(x, "masking", (0.25, 0.25), True, Draws(0))
    assert sorted(noisy.unique().tolist()) == pytest.approx([0.0, 0.7])
    assert (noisy == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)


def test_salt_and_pepper_come_in_equal_shares() -> None:
    x = torch.full((1000, 50), 0.7)
    noisy = corrupt(x, "salt-and-pepper", (0.2, 0.2), True, Draws(0))
    shares = [(noisy == value).float().mean().item() for value in (0.0, 1.0)]
    assert shares == pytest.approx([0.1, 0.1], abs=0.01)


def test_dynamic_binarisation_draws_anew_with_the_value_as_the_probability() -> None:
    x, draws = torch.full((1000, 50), 0.3), Draws(0)
    first, second = binarise(x, "dynamic", draws), binarise(x, "dynamic", draws)
    assert first.unique().tolist() == [0.0, 1.0]
    assert first.mean().item() == pytest.approx(0.3, abs=0.01)
    assert not torch.equal(first, second)
    ends = torch.tensor([[0.0, 1.0]])
    assert torch.equal(binarise(ends, "dynamic", draws), ends)


def test_a_threshold_rounds_and_none_leaves_grey() -> None:
    x = torch.tensor([[0.2, 0.5, 0.9]])
    assert binarise(x, "threshold", Draws(0)).tolist() == [[0.0, 1.0, 1.0]]
    assert torch.equal(binarise(x, "none", Draws(0)), x)


def test_two_processes_draw_together_what_one_draws_alone() -> None:
    whole = Draws(3).normal(5, 2)
    first = Draws(3, share=Share(first=0, rows=3, total=5, weight=1.2)).normal(3, 2)
    second = Draws(3, share=Share(first=3, rows=2, total=5, weight=0.8)).normal(2, 2)
    assert torch.equal(torch.cat([first, second]), whole)
