"""Medians, ratios and aims, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.serving.results import Results
from bench.serving.summary import Cell, Spread, Summary, p50, rate, speed
from bench.serving.targets import Finding, findings
from tests.bench.conftest import measured

CELL = Cell("dense", "json-1", 16)


def test_a_spread_is_the_median_and_both_ends() -> None:
    assert Spread.of([4.0, 1.0, 10.0]) == Spread(middle=4.0, least=1.0, most=10.0)
    assert Spread.of([4.0, 1.0]) == Spread(middle=2.5, least=1.0, most=4.0)
    assert Spread.of([]) is None


def test_the_ratio_is_the_median_of_the_rounds_ratios(results: Results) -> None:
    summary = Summary(results)
    assert summary.ratio("hourglass", "floor", CELL, rate) == Spread(2.0, 1.5, 2.5)  # not 300/200
    assert summary.ratio("hourglass", "floor", CELL, speed) == Spread(2.0, 2.0, 2.0)
    assert summary.ratio("hourglass", "floor", CELL, p50) == Spread(1.0, 1.0, 1.0)


def test_a_round_that_lacks_one_of_the_two_is_left_out(results: Results) -> None:
    results.measurements = [*results.measurements[1:], measured(4, "floor", 1.0, 1.0)]
    assert Summary(results).ratio("hourglass", "floor", CELL, rate) == Spread(2.0, 1.5, 2.5)
    assert Summary(results).ratio("hourglass", "nobody", CELL, rate) is None


def test_batches_are_compared_with_onnxruntime_of_the_same_round(results: Results) -> None:
    by_rate, by_cpu = Summary(results).ratio_to_bare("hourglass", Cell("dense", "binary-32", 16))
    assert by_rate == Spread(0.3, 0.2, 1.0)
    assert by_cpu == Spread(0.5, 0.25, 0.75)


def test_what_was_aimed_at_is_found(results: Results) -> None:
    found = {finding.what: finding for finding in findings(Summary(results))}
    floor = found["dense: `json-1`, of the floor, 16 connections"]
    assert (floor.wanted, floor.numbers, floor.met) == (1.5, (2.0, 2.0), True)
    bare = found["dense: `binary-32`, of bare onnxruntime, 16 connections"]
    assert (bare.wanted, bare.numbers, bare.met) == (0.55, (0.3, 0.5), False)
    start = found["dense: start to first right answer"]
    assert (start.wanted, start.numbers, start.met) == (1.2, (1.0, 0.5), True)
    assert found["dense: `png`, of the floor, 16 connections"].met is None
    assert found["dense: idle CPU"].met is True


def test_both_numbers_must_reach_what_is_wanted() -> None:
    assert Finding("rate", 1.5, True, 1.6, 1.5).met
    assert not Finding("rate", 1.5, True, 1.6, 1.4).met
    assert not Finding("memory", 200, False, 201).met


def test_a_rival_must_be_beaten_under_every_load(results: Results) -> None:
    results.starts.append(results.starts[0].__class__("dense", "rival", 1.0, 1.0))
    results.measurements += [measured(1, "rival", 50.0, 100.0), measured(1, "rival", 400.0, 100.0, load="binary-32")]
    found = {finding.what: finding for finding in findings(Summary(results))}
    assert found["dense: every load, of rival"].numbers == (0.5, 0.25)


def test_results_come_back_from_their_file(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "serving.json")
    assert Results.read(tmp_path / "serving.json") == results


def test_contenders_are_in_the_order_of_their_starts(results: Results) -> None:
    assert Summary(results).contenders == ["hourglass", "floor"]
    assert Summary(results).models == ["dense"]
    with pytest.raises(StopIteration):
        next(iter(Summary(Results({}, {})).models))
