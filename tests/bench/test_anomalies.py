"""The benchmark of anomalies splits tables by its protocol, and counts rates outside their bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.anomalies.__main__ import print_aurocs, print_margins, print_rates
from bench.anomalies.defects import CHANGE, SIDE, plant
from bench.anomalies.tables import Trial, describe, read_tables


def test_half_of_the_normal_rows_is_trained_on_and_the_rest_is_tested(tmp_path: Path) -> None:
    samples = np.arange(30.0).reshape(15, 2)
    labels = np.array([0] * 11 + [1] * 4)
    np.savez(tmp_path / "7_glass.npz", allow_pickle=False, X=samples, y=labels)
    (first,), (again,), (other,) = (list(read_tables(tmp_path, seed)) for seed in (0, 0, 1))
    assert first.name == "glass"
    assert (len(first.train), len(first.test), first.labels.tolist()) == (5, 10, [0] * 6 + [1] * 4)
    rows = np.concatenate([first.train, first.test[:6]])
    assert sorted(rows[:, 0].tolist()) == samples[:11, 0].tolist()
    assert np.array_equal(first.train, again.train)
    assert not np.array_equal(first.train, other.train)
    assert describe(first).shape == (2,)


def trial(auroc: float, rate: float) -> Trial:
    """Return a trial of a table with one rate at each alpha, whose band is 0 to 0.2."""
    aurocs = {"hourglass": auroc, "knn1": 0.90, "knn5": 0.88}
    alphas = (0.1, 0.05, 0.01)
    return Trial("glass", aurocs, dict.fromkeys(alphas, rate), dict.fromkeys(alphas, (0.0, 0.2)), 19)


def test_a_margin_that_is_missed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert not print_margins([trial(0.92, 0.1)])
    assert print_margins([trial(0.905, 0.1)])
    printed = capsys.readouterr().out
    assert "Against knn1: +0.50 points, wanted +0.3: met." in printed
    assert "Against knn5: +2.50 points, wanted +3.0: missed." in printed


def test_rates_outside_their_bands_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert not print_rates([trial(0.9, 0.1)] * 19 + [trial(0.9, 0.3)])
    assert print_rates([trial(0.9, 0.1)] * 9 + [trial(0.9, 0.3)])
    print_aurocs([trial(0.9, 0.1)])
    printed = capsys.readouterr().out
    assert "| 0.1 | 0.1100 | 95 % | 1 | 0 |" in printed
    assert "| glass | 19 | 90.0 | 90.0 | 88.0 |" in printed


@pytest.mark.parametrize("shape", [(20, 16, 18), (20, 16, 18, 3)])
def test_each_defect_is_a_square_in_a_copy_of_a_held_out_image(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(110, 140, shape).astype(np.uint8)
    table = plant("any", images, seed=0)
    normal, damaged = table.test[table.labels == 0], table.test[table.labels == 1]
    assert (len(table.train), len(normal), len(damaged)) == (15, 5, 5)
    assert not any(np.array_equal(image, own) for image in normal for own in table.train)
    changed = (damaged != normal).any(axis=1)
    assert (changed.sum(axis=(1, 2)) == SIDE**2).all()
    rows, columns = changed.any(axis=2), changed.any(axis=1)
    assert {*rows.sum(axis=1).tolist(), *columns.sum(axis=1).tolist()} == {SIDE}
    np.testing.assert_allclose(np.abs(damaged - normal).max(axis=(1, 2, 3)), CHANGE, rtol=1e-5)
