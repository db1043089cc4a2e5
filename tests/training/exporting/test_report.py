"""The report chooses samples of every label, and evenly spaced points of the latent plane."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.dataset import Split
from training.exporting.figures import COLUMNS
from training.exporting.report import MANIFOLD_EDGE, choose_rows, prior_grid


def split_of(labels: list[int] | None, rows: int) -> Split:
    """Return rows of one number with these labels."""
    return Split(np.zeros((rows, 1), np.float32), None if labels is None else np.array(labels), 1.0)


def test_every_label_is_shown_before_a_second_row_of_any() -> None:
    labels = [0] * 20 + [1] * 20 + [2]
    chosen = choose_rows(split_of(labels, 41))
    assert len(chosen) == COLUMNS
    assert {labels[row] for row in chosen} == {0, 1, 2}
    assert list(chosen) == sorted(chosen)


def test_rows_without_labels_are_evenly_spaced() -> None:
    assert choose_rows(split_of(None, 31)).tolist() == list(range(0, 31, 2))
    assert choose_rows(split_of(None, 3)).tolist() == [0, 1, 2]


def test_the_grid_spans_the_quantiles_of_the_prior() -> None:
    grid = prior_grid(3).reshape(3, 3, 2)
    edge = 2.0537489  # the 98 % quantile of the standard normal distribution
    assert MANIFOLD_EDGE == 0.02
    assert grid[0, 0].tolist() == pytest.approx([-edge, edge])
    assert grid[1, 1].tolist() == pytest.approx([0, 0], abs=1e-6)
    assert grid[2, 2].tolist() == pytest.approx([edge, -edge])
