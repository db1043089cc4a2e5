"""Every epoch has every row once, in the user's units, in an order that the seed and the epoch decide."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from training.data.dataset import Split
from training.fitting.batches import Batches, as_tensor


def numbered(rows: int) -> Split:
    """Return 8-bit images of one pixel; pixel and label are the row's number."""
    return Split(np.arange(rows, dtype=np.uint8).reshape(rows, 1, 1, 1), np.arange(rows), 1 / 255)


def order(batches: Batches) -> list[int]:
    """Return the rows of an epoch, by their labels."""
    return [int(label) for _, labels in batches for label in labels]


def test_a_batch_has_float_samples_in_the_users_units_and_integer_labels() -> None:
    split = Split(np.array([[[[0, 51]]], [[[255, 102]]]], np.uint8), np.array([3, 1]), 1 / 255)
    [(samples, labels)] = Batches(split, 4, seed=None)
    assert (samples.dtype, labels.dtype) == (torch.float32, torch.int64)
    torch.testing.assert_close(samples, torch.tensor([[[[0.0, 0.2]]], [[[1.0, 0.4]]]]))
    assert labels.tolist() == [3, 1]
    assert split.samples.dtype == np.uint8


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.float32])
def test_every_stored_type_is_converted_to_float(dtype: type[np.generic]) -> None:
    split = Split(np.array([[1, 2], [3, 4]], dtype), None, 0.5)
    [(samples, _)] = Batches(split, 2, seed=None)
    assert samples.tolist() == [[0.5, 1.0], [1.5, 2.0]]


def test_labels_are_zeros_if_the_split_has_none() -> None:
    split = Split(np.zeros((5, 2), np.float32), None, 1.0)
    assert [labels.tolist() for _, labels in Batches(split, 3, seed=0)] == [[0, 0, 0], [0, 0]]


def test_every_row_comes_once_and_the_last_smaller_batch_is_kept() -> None:
    batches = Batches(numbered(10), 4, seed=0)
    assert [len(samples) for samples, _ in batches] == [4, 4, 2]
    assert len(batches) == 3
    assert sorted(order(batches)) == list(range(10))
    assert order(batches) != list(range(10))
    assert order(Batches(numbered(10), 4, seed=None)) == list(range(10))


def test_samples_and_labels_stay_together() -> None:
    for samples, labels in Batches(numbered(50), 7, seed=1):
        torch.testing.assert_close(samples.flatten(), labels / 255)


def test_only_the_seed_and_the_epoch_decide_the_order() -> None:
    batches, later = Batches(numbered(50), 8, seed=3), Batches(numbered(50), 16, seed=3)
    first = order(batches)
    batches.set_epoch(1)
    second = order(batches)
    torch.manual_seed(99)
    later.set_epoch(1)
    assert second == order(later) != first
    batches.set_epoch(0)
    assert order(batches) == first
    assert order(Batches(numbered(50), 8, seed=4)) != first


def test_an_epoch_of_several_passes_has_every_row_once_in_each() -> None:
    batches = Batches(numbered(10), 4, seed=0, passes=3)
    assert len(batches) == 9
    assert [len(samples) for samples, _ in batches] == [4, 4, 2] * 3
    rows = order(batches)
    passes = [rows[:10], rows[10:20], rows[20:]]
    assert [sorted(rows) for rows in passes] == [list(range(10))] * 3
    assert passes[0] != passes[1] != passes[2] != passes[0]


def test_passes_follow_the_orders_of_as_many_epochs() -> None:
    """So one epoch of six passes equals two of three, or six of one."""
    expected: list[int] = []
    for epoch in range(6):
        single = Batches(numbered(10), 4, seed=0)
        single.set_epoch(epoch)
        expected += order(single)
    triple = Batches(numbered(10), 4, seed=0, passes=3)
    first = order(triple)
    triple.set_epoch(1)
    assert first + order(triple) == expected == order(Batches(numbered(10), 4, seed=0, passes=6))


@pytest.mark.parametrize(("rows", "world"), [(20, 2), (13, 2), (9, 2), (17, 3)])
def test_the_shares_of_all_processes_make_up_the_batches_of_one_process(rows: int, world: int) -> None:
    whole = [labels.tolist() for _, labels in Batches(numbered(rows), 4 * world, seed=5, passes=2)]
    loaders = [Batches(numbered(rows), 4, seed=5, rank=rank, world=world, passes=2) for rank in range(world)]
    together: list[list[int]] = [[] for _ in whole]
    for loader in loaders:
        assert len(loader) == len(whole)
        for index, (_, labels) in enumerate(loader):
            share = loader.share(index)
            assert share.total == len(whole[index])
            assert len(labels) == max(1, share.rows)
            together[index] += labels.tolist()[: share.rows]
    assert together == whole


def test_the_weighted_mean_of_the_shares_is_the_mean_of_the_batch() -> None:
    whole = [labels.float().mean().item() for _, labels in Batches(numbered(11), 8, seed=5)]
    loaders = [Batches(numbered(11), 4, seed=5, rank=rank, world=2) for rank in range(2)]
    halves = [
        [loader.share(index).weight * labels.float().mean().item() for index, (_, labels) in enumerate(loader)]
        for loader in loaders
    ]
    assert [sum(pair) / 2 for pair in zip(*halves, strict=True)] == pytest.approx(whole)


def test_a_read_only_array_is_used_in_place_without_a_warning() -> None:
    stored = np.arange(12, dtype=np.float32).reshape(6, 2)
    stored.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = as_tensor(stored)
    assert tensor.data_ptr() == stored.ctypes.data
    for samples, _ in Batches(Split(stored, None, 2.0), 3, seed=None):
        samples.zero_()
    assert stored.sum() == 66


def test_arrays_that_torch_cannot_use_are_copied() -> None:
    assert as_tensor(np.array([1, 2, 300], ">i2")).tolist() == [1, 2, 300]
    assert as_tensor(np.arange(3)[::-1]).tolist() == [2, 1, 0]


@pytest.mark.parametrize("rows", [10, 11])
def test_rows_are_followed_by_a_neighbour(rows: int) -> None:
    neighbours = np.stack([(np.arange(rows) + 1) % rows, (np.arange(rows) + 2) % rows], 1)
    batches = Batches(numbered(rows), 4, seed=0, neighbours=neighbours)
    seen: set[int] = set()
    for epoch in range(20):
        batches.set_epoch(epoch)
        drawn = order(batches)
        assert len(drawn) == rows
        distances = {(second - first) % rows for first, second in zip(drawn[::2], drawn[1::2], strict=False)}
        assert distances <= {1, 2}
        assert len(set(drawn[::2])) == len(drawn[::2])
        seen |= distances
    assert seen == {1, 2}
    assert order(batches) == order(batches)
