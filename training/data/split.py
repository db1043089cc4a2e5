"""The split into parts: equal rows stay together, so that no part has a copy of another's row; the seed decides."""

from __future__ import annotations

import numpy as np

from training.data.storage import Integers


def group_equal_rows(digests: Integers) -> Integers:
    """Return each row's group; equal rows share one. Groups are counted from 0, by first appearance."""
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[group]


def split_in_three(groups: Integers, test: float, validation: float, seed: int) -> tuple[Integers, Integers, Integers]:
    """
    Return the rows of the training, the validation and the test part, each in ascending order.

    `test` is a share of all rows, `validation` a share of the rest. Groups stay whole; at least three are needed.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    test_groups, order = _hold_out(order, sizes, test, leave=2)
    validation_groups, order = _hold_out(order, sizes, validation, leave=1)
    return _rows_of(groups, order), _rows_of(groups, validation_groups), _rows_of(groups, test_groups)


def split_in_two(groups: Integers, validation: float, seed: int) -> tuple[Integers, Integers]:
    """Return the rows of the training and the validation part, each in ascending order. Needs two groups."""
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    validation_groups, order = _hold_out(order, sizes, validation, leave=1)
    return _rows_of(groups, order), _rows_of(groups, validation_groups)


def _hold_out(order: Integers, sizes: Integers, share: float, leave: int) -> tuple[Integers, Integers]:
    """
    Return the groups that are held out, and the rest.

    Groups are held out in their order as long as they fit into the share of the rows. At least one is held out, the
    smallest if none fits, and at least `leave` groups remain.
    """
    ordered = sizes[order]
    share_rows = free_rows = max(1, round(share * int(ordered.sum())))
    most = len(order) - leave
    held_out: list[int] = []
    for index, size in enumerate(ordered.tolist()):
        if free_rows == 0 or len(held_out) == most:
            break
        if size <= free_rows:
            held_out.append(index)
            free_rows -= size
    if free_rows == share_rows:
        held_out.append(int(ordered.argmin()))
    return order[held_out], np.delete(order, held_out)


def _rows_of(groups: Integers, members: Integers) -> Integers:
    return np.flatnonzero(np.isin(groups, members))
