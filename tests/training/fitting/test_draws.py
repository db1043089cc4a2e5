"""Random numbers depend on the seed and on a row's place in the batch, not on the number of processes."""

from __future__ import annotations

import torch

from training.fitting.draws import Draws
from training.fitting.ranks import BatchShare


def test_two_processes_draw_the_numbers_of_one() -> None:
    whole = Draws(3).normal(5, 2)
    first = Draws(3, share=BatchShare(first=0, rows=3, total=5, weight=1.2)).normal(3, 2)
    second = Draws(3, share=BatchShare(first=3, rows=2, total=5, weight=0.8)).normal(2, 2)
    assert torch.equal(torch.cat([first, second]), whole)


def test_an_empty_share_still_gets_a_row() -> None:
    assert Draws(3, share=BatchShare(first=0, rows=0, total=1, weight=0.0)).uniform(1, 2).shape == (1, 2)


def test_a_seed_gives_the_same_numbers_and_another_seed_others() -> None:
    first, second, other = (Draws(seed).uniform(4, 3) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert first.min() >= 0
    assert first.max() < 1


def test_the_spread_is_the_standard_deviation_of_all_numbers() -> None:
    values = torch.tensor([[0.0, 2.0], [4.0, 6.0]])
    assert Draws(0).spread(values).item() == values.std().item()
