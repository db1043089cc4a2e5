"""Without torchrun there is one process; batches are shared evenly."""

from __future__ import annotations

import pytest
import torch

from training.fitting.ranks import (
    BatchShare,
    is_first_rank,
    local_rank,
    local_world,
    on_first_rank,
    rank,
    sum_over_ranks,
    world,
)


@pytest.mark.parametrize(
    ("total", "rank", "world", "share"),
    [
        (7, 0, 1, BatchShare(first=0, rows=7, total=7, weight=1.0)),
        (7, 0, 2, BatchShare(first=0, rows=4, total=7, weight=8 / 7)),
        (7, 1, 2, BatchShare(first=4, rows=3, total=7, weight=6 / 7)),
        (1, 0, 2, BatchShare(first=0, rows=1, total=1, weight=2.0)),
        (1, 1, 2, BatchShare(first=0, rows=0, total=1, weight=0.0)),
        (5, 2, 3, BatchShare(first=4, rows=1, total=5, weight=3 / 5)),
    ],
)
def test_shares_follow_one_another_and_are_weighted_by_their_rows(
    total: int, rank: int, world: int, share: BatchShare
) -> None:
    assert BatchShare.of(total, rank, world) == share


def test_one_process_shares_nothing() -> None:
    assert (world(), local_world(), rank(), local_rank(), is_first_rank()) == (1, 1, 0, 0, True)
    assert on_first_rank(lambda: "result") == "result"
    assert sum_over_ranks([torch.tensor(1.5), 2]) == [1.5, 2.0]
    assert not torch.distributed.is_initialized()


def test_torchrun_announces_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "3", "LOCAL_RANK": "1"}
    for name, value in {**numbers, "TORCHELASTIC_RUN_ID": "any"}.items():
        monkeypatch.setenv(name, value)
    assert (world(), local_world(), rank(), local_rank(), is_first_rank()) == (4, 2, 3, 1, False)
