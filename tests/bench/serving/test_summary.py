"""Medians and ratios that are calculated by hand."""

from __future__ import annotations

from bench.serving.results import Results
from bench.serving.summary import Cell, Spread, Summary, p50, rate, speed
from tests.helpers.bench import measurement

CELL = Cell("dense", "json-1", 16)


def test_a_spread_holds_the_median_and_the_range() -> None:
    assert Spread.of([4.0, 1.0, 10.0]) == Spread(median=4.0, lowest=1.0, highest=10.0)
    assert Spread.of([4.0, 1.0]) == Spread(median=2.5, lowest=1.0, highest=4.0)
    assert Spread.of([]) is None


def test_a_ratio_is_the_median_of_the_ratios_of_each_round(results: Results) -> None:
    summary = Summary(results)
    assert summary.ratio("hourglass", "floor", CELL, rate) == Spread(2.0, 1.5, 2.5)  # not 300/200
    assert summary.ratio("hourglass", "floor", CELL, speed) == Spread(2.0, 2.0, 2.0)
    assert summary.ratio("hourglass", "floor", CELL, p50) == Spread(1.0, 1.0, 1.0)


def test_a_round_that_lacks_one_contender_is_left_out(results: Results) -> None:
    results.measurements = [*results.measurements[1:], measurement(4, "floor", 1.0, 1.0)]
    assert Summary(results).ratio("hourglass", "floor", CELL, rate) == Spread(2.0, 1.5, 2.5)
    assert Summary(results).ratio("hourglass", "unknown", CELL, rate) is None


def test_batches_are_compared_with_bare_onnxruntime_of_the_same_round(results: Results) -> None:
    by_rate, by_cpu = Summary(results).ratio_to_bare("hourglass", Cell("dense", "binary-32", 16))
    assert by_rate == Spread(0.3, 0.2, 1.0)
    assert by_cpu == Spread(0.5, 0.25, 0.75)


def test_contenders_are_in_the_order_of_their_starts(results: Results) -> None:
    assert Summary(results).contenders == ["hourglass", "floor"]
    assert Summary(results).models == ["dense"]
    assert Summary(Results({}, {})).models == []
