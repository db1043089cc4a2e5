"""The file with the results of a run."""

from __future__ import annotations

from pathlib import Path

from bench.serving.results import Results


def test_results_survive_their_file(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path / "serving.json")
    assert Results.read(tmp_path / "serving.json") == results
