"""Tests of the findings printed before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.config import DataConfig
from training.data.load import load_data


def test_a_table_is_described(tmp_path: Path) -> None:
    lines = ["age,dose,weight,kind", *(f"{n},2,{n / 2 - 3},{'cat' if n < 8 else 'dog'}" for n in range(20))]
    (tmp_path / "people.csv").write_text("\n".join([*lines, "0,2,-3,cat", "19,2,6.5,dog"]))
    data = load_data(DataConfig(path="people.csv", label="kind", validation=0.1), tmp_path, seed=3)
    train, validation, test = len(data.train), len(data.validation), len(data.test)
    assert train + validation + test == 22
    assert data.findings.describe().splitlines() == [
        "rows        22, each a vector of 3 numbers, float64",
        "range       -3 to 19",
        "missing     0 values",
        'constant    1 columns: "dose"',
        "duplicates  2 rows that repeat an earlier one",
        "classes     2: cat 9, dog 13",
        f"split       {train} training, {validation} validation, {test} test",
    ]


def test_images_are_described_in_the_users_units(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 9), dtype=np.uint8)
    images[:, 0] = 0
    images[0, 1, 1] = 255
    np.save(tmp_path / "x.npy", images)
    assert load_data(DataConfig(path="x.npy"), tmp_path, seed=0).findings.describe().splitlines() == [
        "rows        20, each an image of 8x9 pixels, grey, uint8",
        "range       0 to 1",
        "missing     0 values",
        "constant    9 pixels",
        "duplicates  0 rows that repeat an earlier one",
        "classes     no labels",
        "split       14 training, 4 validation, 2 test",
    ]


def test_at_most_ten_columns_are_named(tmp_path: Path) -> None:
    matrix = np.zeros((20, 14))
    matrix[:, 0] = range(20)
    np.save(tmp_path / "x.npy", matrix)
    described = load_data(DataConfig(path="x.npy"), tmp_path, seed=0).findings.describe()
    assert "constant    13 columns: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 3 more\n" in described
