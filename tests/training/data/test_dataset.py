"""Tests of data sets in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.config import DataConfig
from training.data.dataset import Split
from training.data.load import load_data


def test_samples_are_scaled_to_the_users_units() -> None:
    split = Split(np.array([[0, 51], [102, 255]], np.uint8), None, 1 / 255)
    assert len(split) == 2
    assert split.in_users_units().dtype == np.float32
    np.testing.assert_allclose(split.in_users_units(), [[0, 0.2], [0.4, 1]], rtol=1e-6)


def test_rows_are_taken_with_their_labels() -> None:
    split = Split(np.arange(6, dtype=np.int16).reshape(3, 2), np.array([7, 8, 9]), 1.0)
    rows = split.take(np.array([2, 0]))
    assert rows.samples.tolist() == [[4, 5], [0, 1]]
    assert rows.labels is not None
    assert rows.labels.tolist() == [9, 7]


def test_rows_are_taken_without_labels() -> None:
    rows = Split(np.arange(6, dtype=np.int16).reshape(3, 2), None, 1.0).take(slice(1, 3))
    assert (rows.samples.tolist(), rows.labels) == ([[2, 3], [4, 5]], None)


def test_the_fingerprint_covers_labels_only_if_the_set_has_them(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(40).reshape(20, 2))
    np.savez(tmp_path / "b.npz", x=np.arange(40).reshape(20, 2), y=np.arange(20) % 2)
    plain = load_data(DataConfig(path="a.npy"), tmp_path, seed=0)
    labelled = load_data(DataConfig(path="b.npz", label="y"), tmp_path, seed=0)
    unlabelled = load_data(DataConfig(path="b.npz", samples="x"), tmp_path, seed=0)
    assert plain.fingerprint() == unlabelled.fingerprint() != labelled.fingerprint()
