"""The calibration part has rows that no other part has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.inputs import VectorInput
from training.config import ScorerConfig, load_config
from training.data.calibration import (
    MAX_SHARE,
    calibration_count,
    calibration_from_test,
    check_held_out,
    digests,
    hold_out_calibration,
    load_run_data,
)
from training.data.dataset import DataSet, Split
from training.data.load import load_data
from training.errors import DataError


def table(rows: int, copies: int = 1) -> DataSet:
    """Return a table with so many training rows, each of them several times, and 20 rows in each other part."""
    numbers = np.random.default_rng(0).normal(size=(rows + 40, 3)).astype(np.float32)
    train, validation, test = (
        Split(part, None, 1.0) for part in (np.repeat(numbers[:rows], copies, axis=0), numbers[rows:-20], numbers[-20:])
    )
    return DataSet("table", VectorInput(shape=(3,)), (), train, validation, test)


@pytest.mark.parametrize(
    ("rows", "count"), [(57, 0), (189, 0), (190, 19), (1_000, 100), (20_000, 2_000), (60_000, 2_000)]
)
def test_a_tenth_of_the_rows_is_held_out_none_of_few_and_less_of_many(rows: int, count: int) -> None:
    assert calibration_count(rows, ScorerConfig()) == count
    assert calibration_count(rows, ScorerConfig(calibration=0.5)) == round(rows / 2)


@pytest.mark.parametrize(("rows", "count"), [(56, 0), (57, 19), (190, 19), (1_000, 100)])
def test_more_of_other_data_may_calibrate(rows: int, count: int) -> None:
    assert calibration_count(rows, ScorerConfig(), MAX_SHARE) == count


def test_the_parts_share_no_row_and_no_row_is_lost() -> None:
    whole = table(300)
    data = hold_out_calibration(whole, ScorerConfig(), seed=0)
    assert data.calibration is not None
    assert (len(data.train), len(data.calibration)) == (270, 30)
    assert not np.isin(digests(data.calibration), digests(data.train)).any()
    together = np.concatenate([data.train.samples, data.calibration.samples])
    assert sorted(together.tolist()) == sorted(whole.train.samples.tolist())
    assert data.findings.notes["calibration"] == "30 rows for the scorer's p-values"
    assert data.fingerprint() != whole.fingerprint()


def test_equal_rows_stay_together() -> None:
    data = hold_out_calibration(table(100, copies=3), ScorerConfig(), seed=1)
    assert data.calibration is not None
    assert not np.isin(digests(data.calibration), digests(data.train)).any()


def test_rows_that_another_part_has_do_not_calibrate() -> None:
    whole = table(300)
    shared = replace(whole, test=whole.train)
    assert hold_out_calibration(shared, ScorerConfig(), seed=0) is shared


def test_too_few_rows_are_all_trained_on() -> None:
    small, same = table(50), table(1, copies=300)
    assert hold_out_calibration(small, ScorerConfig(), seed=0) is small
    assert hold_out_calibration(same, ScorerConfig(), seed=0) is same
    with pytest.raises(DataError, match=r"scorer\.calibration=0\.2 of 50 training rows are 10, and a scorer needs 19"):
        hold_out_calibration(small, ScorerConfig(calibration=0.2), seed=0)


def test_half_of_the_test_part_calibrates_a_model_without_a_calibration_part() -> None:
    data = table(60)
    with pytest.raises(DataError, match="half of the test part, which must have 19 different rows, got 10"):
        calibration_from_test(data, seed=0)
    large = replace(data, test=table(80).train)
    halved = calibration_from_test(large, seed=0)
    assert halved.calibration is not None
    assert (len(halved.test), len(halved.calibration)) == (40, 40)
    check_held_out(halved, halved.test, "test rows")


def test_rows_of_another_part_are_counted_in_the_error() -> None:
    data = hold_out_calibration(table(300), ScorerConfig(), seed=0)
    assert data.calibration is not None
    with pytest.raises(DataError, match="table: 5 of 30 calibration rows are also rows of a friend"):
        check_held_out(data, data.calibration.take(slice(5)), "rows of a friend")


def test_a_configuration_without_a_scorer_trains_on_all_rows() -> None:
    config = load_config("digits-vae")
    data = load_run_data(config, None)
    assert data.calibration is not None
    plain = load_data(config.data, None, config.optimisation.seed)
    without = config.model_copy(update={"scorer": ScorerConfig(kind="none")})
    conditional = config.model_copy(update={"objective": config.objective.model_copy(update={"conditional": True})})
    for other in (without, conditional):
        assert load_run_data(other, None).fingerprint() == plain.fingerprint()
