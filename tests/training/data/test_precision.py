"""Tests of the columns that lose digits at the model's float32 input, and of what stays exact until then."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.helpers.training_data import load_array
from training.config import DataConfig
from training.data.dataset import DataSet
from training.data.load import load_data
from training.data.precision import find_losses
from training.data.source import Source
from training.errors import DataError

ROWS = 300
BESIDE = np.arange(ROWS) % 3
NORMAL = np.random.default_rng(0).normal(size=60_000)


def load_table(folder: Path, columns: dict[str, np.ndarray], suffix: str) -> DataSet:
    """Write columns to a CSV or a Parquet file and load it."""
    path = folder / f"t{suffix}"
    if suffix == ".csv":
        rows = zip(*(map(repr, column.tolist()) for column in columns.values()), strict=True)
        path.write_text("\n".join([",".join(columns), *(",".join(row) for row in rows)]))
    else:
        pyarrow.parquet.write_table(pa.table(columns), path)
    return load_data(DataConfig(path=str(path)), None, seed=0)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("values", "step", "left"),
    [
        # spacing of float32 = 2^(exponent - 23): seconds 2^30..2^31, milliseconds 2^40..2^41, nanoseconds 2^60..2^61
        (1_700_000_000 + np.arange(ROWS), "128", 3),
        (1_700_000_000_000 + np.arange(ROWS), "131072", 1),
        (1_700_000_000_000_000_000 + np.arange(ROWS), str(2**37), 1),
        (2**24 + np.arange(ROWS), "2", 151),
        (1e9 + np.arange(ROWS) / 1000, "64", 1),
        (-(2.0**24) - np.arange(ROWS), "2", 151),
    ],
    ids=["seconds", "milliseconds", "nanoseconds", "2^24", "an offset", "negative"],
)
def test_rows_that_differ_in_the_file_are_no_duplicates(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, values: np.ndarray, step: str, left: int, suffix: str
) -> None:
    with caplog.at_level(logging.WARNING):
        findings = load_table(tmp_path, {"t": values, "v": BESIDE / 2}, suffix).findings
    assert (findings.duplicates, findings.constant) == (0, ())
    assert sum(findings.parts) == ROWS
    assert f'column "t" in steps of {step} ({ROWS} different values become {left})' in findings.describe()
    assert 'column "t" in steps of' in caplog.text
    assert '"v"' not in caplog.text


@pytest.mark.parametrize(
    "array",
    [
        np.stack([2**53 + np.arange(ROWS), BESIDE], axis=1),
        np.stack([1e8 + np.arange(ROWS), BESIDE], axis=1).astype(">f8"),
        np.stack([2**63 + np.arange(ROWS).astype(np.uint64), BESIDE.astype(np.uint64)], axis=1),
    ],
    ids=["int64", "big-endian float64", "uint64"],
)
def test_columns_of_arrays_are_named_by_number(tmp_path: Path, array: np.ndarray) -> None:
    findings = load_array(tmp_path, array).findings
    assert findings.duplicates == 0
    assert "column 0 in steps of" in findings.notes["precision"]
    assert "column 1" not in findings.notes["precision"]


@pytest.mark.parametrize(
    "column",
    [
        NORMAL,
        NORMAL * 1e30,
        (NORMAL + 1e9).astype(np.float32).astype(np.float64),
        1_700_000_000 + 128 * np.arange(60_000.0),
        np.round(NORMAL, 1) + 1e-16,
        np.array([0.3, 0.1 + 0.2] * 30_000),
        np.arange(60_000) * 200,
        1 + np.random.default_rng(0).random(60_000) / 10,  # 840 000 float32 numbers: 3.5 % fall together by chance
    ],
    ids=[
        "fractions",
        "large fractions",
        "float32 numbers",
        "multiples of the step",
        "rounding",
        "two ways",
        "integers",
        "dense",
    ],
)
def test_columns_without_a_loss_are_not_named(column: np.ndarray) -> None:
    assert find_losses(Source("rows", np.stack([column, NORMAL], axis=1), kind="vector")) == []


def test_an_outlier_hides_no_loss() -> None:
    seconds = 1_700_000_000 + np.arange(ROWS) / 2
    seconds[7] = 0
    losses = find_losses(Source("rows", np.stack([seconds, BESIDE], axis=1), kind="vector"))
    assert [(loss.column, loss.step, loss.left) for loss in losses] == [(0, 128.0, 3)]  # 0 and two multiples of 128


def test_only_blocks_of_a_long_table_are_compared() -> None:
    seconds = 1_700_000_000 + np.arange(200_000)
    losses = find_losses(Source("rows", np.stack([seconds, seconds % 7], axis=1), kind="vector"))
    assert [(loss.column, loss.different) for loss in losses] == [(0, 2**16)]


def test_channels_of_images_are_compared_as_wholes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((20, 8, 8))
    assert "precision" not in load_array(tmp_path, images).findings.notes
    notes = load_array(tmp_path, images + 1e6).findings.notes
    assert "channel 0 in steps of 0.0625 (" in notes["precision"]
    assert notes["precision"].endswith("different values become 17); subtract an offset from it")
    with pytest.raises(DataError, match=r"training part are 1e\+08 in float32; subtract an offset"):
        load_array(tmp_path, images + 1e8)


def test_whole_numbers_beyond_2_53_stay_exact_beside_fractions(tmp_path: Path) -> None:
    columns = {"t": 2**60 + np.arange(ROWS), "v": np.zeros(ROWS) + 0.5}
    findings = load_table(tmp_path, columns, ".csv").findings
    assert (findings.duplicates, findings.constant) == (0, ('"v"',))


def test_a_constant_column_is_one_that_is_constant_in_the_file(tmp_path: Path) -> None:
    table = np.stack([1e9 + np.arange(20) / 100, np.arange(20), np.full(20, 7)], axis=1)
    assert load_array(tmp_path, table).findings.constant == ("2",)


def test_the_range_is_shown_with_the_digits_that_matter(tmp_path: Path) -> None:
    table = np.stack([1_700_000_000 + np.arange(20), 1_700_000_000 + np.arange(20)], axis=1)
    assert "range       1700000000 to 1700000019\n" in load_array(tmp_path, table).findings.describe()


def test_equal_rows_are_found_among_wide_numbers(tmp_path: Path) -> None:
    rows = np.concatenate([np.arange(20), np.arange(10)])
    findings = load_table(tmp_path, {"t": 2**62 + rows, "v": rows / 2}, ".parquet").findings
    assert findings.duplicates == 10
