"""Targets that are met or missed."""

from __future__ import annotations

from dataclasses import replace

from bench.serving.results import Results, Start
from bench.serving.summary import Summary
from bench.serving.targets import Target, targets
from tests.helpers.bench import measurement


def by_name(results: Results) -> dict[str, Target]:
    return {target.name: target for target in targets(Summary(results))}


def test_targets_have_the_measured_values(results: Results) -> None:
    rows = by_name(results)
    floor = rows["dense: `json-1`, ratio to floor, 16 connections"]
    assert (floor.goal, floor.value, floor.cpu_value, floor.is_met) == (1.5, 2.0, 2.0, True)
    cpu = rows["dense: `json-1`, hourglass, CPU of floor's"]
    assert (cpu.goal, cpu.value, cpu.cpu_value, cpu.is_met) == (0.52, 0.5, None, True)
    bare = rows["dense: `binary-32`, ratio to bare onnxruntime, 16 connections"]
    assert (bare.goal, bare.value, bare.cpu_value, bare.is_met) == (0.75, 0.3, 0.5, False)
    start = rows["dense: start to first correct answer"]
    assert (start.goal, start.value, start.cpu_value, start.is_met) == (0.6, 1.0, 0.5, False)
    assert rows["dense: `png`, ratio to floor, 16 connections"].is_met is None
    assert rows["dense: `png`, hourglass, CPU of floor's"].is_met is None
    assert rows["dense: `json-1`, hourglass-v2, CPU of floor's"].is_met is None
    assert rows["dense: idle CPU"].is_met is True


def test_the_first_answer_of_all_models_is_compared_with_the_floors(results: Results) -> None:
    name = "bundled: the same, in units of the floor's with dense"
    assert by_name(results)[name].value is None
    results.starts.append(Start("bundled", "hourglass", 0.75, 0.5))
    assert by_name(results)[name].value == 1.5


def test_grpc_is_compared_with_the_wire_of_the_same_rows(results: Results) -> None:
    rows = by_name(results)
    one = rows["gRPC, 1 sample, CPU of /v2's, JSON"]
    assert (one.goal, one.value, one.is_met) == (1.5, 2.0, False)
    assert rows["gRPC, 32 samples, CPU of /v2's, binary tensors"].is_met is None


def test_the_second_api_of_this_server_is_no_rival(results: Results) -> None:
    results.starts.append(replace(results.starts[0], contender="hourglass-v2"))
    results.measurements.append(measurement(1, "hourglass-v2", 100.0, 40.0))
    rows = by_name(results)
    assert rows["dense: `json-1`, hourglass-v2, CPU of floor's"].value == 0.8
    assert not [name for name in rows if name.endswith("ratio to hourglass-v2")]


def test_both_values_must_reach_the_goal() -> None:
    assert Target("rate", 1.5, True, 1.6, 1.5).is_met
    assert not Target("rate", 1.5, True, 1.6, 1.4).is_met
    assert not Target("memory", 200, False, 201).is_met


def test_the_ratio_to_a_rival_is_the_lowest_over_all_loads(results: Results) -> None:
    results.starts.append(replace(results.starts[0], contender="rival"))
    results.measurements += [
        measurement(1, "rival", 50.0, 100.0),
        measurement(1, "rival", 400.0, 100.0, load="binary-32"),
    ]
    target = by_name(results)["dense: every load, lowest ratio to rival"]
    assert (target.value, target.cpu_value) == (0.5, 0.25)
