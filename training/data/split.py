"""Which rows go where: by content, so that a duplicate never stands on both sides, and by the seed."""

from __future__ import annotations

import numpy as np

from training.data.dataset import Numbers


def groups_of(digests: Numbers) -> Numbers:
    """For each row the number of its group of equal rows, counted from 0 by first appearance."""
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[group]


def split_in_three(groups: Numbers, test: float, validation: float, seed: int) -> tuple[Numbers, Numbers, Numbers]:
    """
    Rows of the training, the validation and the test part, each in order.

    `test` is a share of all rows, `validation` of those that are left; groups stay whole. Needs three groups.
    """
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    tested, order = _draw(order, sizes, test, leave=2)
    validated, order = _draw(order, sizes, validation, leave=1)
    return _rows(groups, order), _rows(groups, validated), _rows(groups, tested)


def split_in_two(groups: Numbers, validation: float, seed: int) -> tuple[Numbers, Numbers]:
    """Rows of the training and the validation part, each in order. Needs two groups."""
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    validated, order = _draw(order, sizes, validation, leave=1)
    return _rows(groups, order), _rows(groups, validated)


def _draw(order: Numbers, sizes: Numbers, share: float, leave: int) -> tuple[Numbers, Numbers]:
    """
    The groups that fit, first come first served, into a share of their rows, and those that are left.

    At least one is drawn, the smallest where none fits, and at least `leave` are left.
    """
    ordered = sizes[order]
    wanted = room = max(1, round(share * int(ordered.sum())))
    most = len(order) - leave
    drawn: list[int] = []
    for index, size in enumerate(ordered.tolist()):
        if room == 0 or len(drawn) == most:
            break
        if size <= room:
            drawn.append(index)
            room -= size
    if room == wanted:
        drawn.append(int(ordered.argmin()))
    return order[drawn], np.delete(order, drawn)


def _rows(groups: Numbers, chosen: Numbers) -> Numbers:
    return np.flatnonzero(np.isin(groups, chosen))
