"""All versions of a repository are listed with their errors, warnings, sizes and minutes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.manifest import Manifest, Measurement, Training
from tests.helpers import tiny
from training.comparing.versions import describe_versions, read_versions, versions_as_json
from training.errors import RunError


def write_trained(root: Path, name: str, version: int, warnings: tuple[str, ...] = (), **values: float) -> None:
    """Write a version that was trained in 1.5 minutes and has these measured values."""
    folder = tiny.write_version(root, name, version)
    training = Training(
        configuration={},
        data_fingerprint="0" * 64,
        libraries={},
        seed=0,
        minutes=1.5,
        hardware="any",
        finished="2026-01-01",
        warnings=warnings,
    )
    metrics = (Measurement(data_set="any, test part, 9 samples", protocol="any", values=values),)
    Manifest.read(folder).model_copy(update={"training": training, "metrics": metrics}).write(folder)


def test_versions_are_ordered_by_name_and_number(tmp_path: Path) -> None:
    for name, version in (("b", 1), ("a", 10), ("a", 2)):
        write_trained(tmp_path, name, version, mse=0.5, pca_mse=1.0)
    (tmp_path / "a" / ".3-17.partial").mkdir()
    (tmp_path / ".hidden" / "1").mkdir(parents=True)
    (tmp_path / "notes.txt").touch()
    summaries, problems = read_versions(tmp_path)
    assert [(summary.name, summary.version) for summary in summaries] == [("a", 2), ("a", 10), ("b", 1)]
    assert problems == []


def test_a_row_has_the_facts_of_the_manifest(tmp_path: Path) -> None:
    write_trained(tmp_path, "a", 1, ("overfit", "collapsed"), mse=0.25, pca_mse=0.1, pca_active_mse=0.5)
    folder = tmp_path / "a" / "1"
    size = sum(path.stat().st_size for path in folder.iterdir() if path.name != "model.json")
    (summary,), _ = read_versions(tmp_path)
    assert (summary.mse, summary.pca_mse, summary.ratio, summary.minutes) == (0.25, 0.5, 0.5, 1.5)
    assert summary.bytes == size
    lines = describe_versions([summary]).splitlines()
    assert lines[0].split() == ["model", "latents", "MSE", "PCA's", "ratio", "warnings", "MiB", "minutes"]
    assert lines[1].split() == ["a/1", "2", "0.25", "0.5", "0.5", "2", "0.0", "1.5"]
    assert lines[2:] == ["", "a/1: overfit", "a/1: collapsed"]
    (row,) = json.loads(versions_as_json([summary]))
    assert (row["ratio"], row["warnings"]) == (0.5, ["overfit", "collapsed"])


def test_an_imported_model_has_dashes(tmp_path: Path) -> None:
    tiny.write_version(tmp_path, "a", 1)
    (summary,), _ = read_versions(tmp_path)
    assert describe_versions([summary]).splitlines()[1].split() == ["a/1", "2", "-", "-", "-", "0", "0.0", "-"]


def test_versions_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    write_trained(tmp_path, "a", 1, mse=1.0)
    (tmp_path / "a" / "2").mkdir()
    (tmp_path / "a" / "3").mkdir()
    (tmp_path / "a" / "3" / "model.json").write_text("{}")
    summaries, problems = read_versions(tmp_path)
    assert len(summaries) == 1
    assert problems[0] == f"{tmp_path / 'a' / '2'}: model.json is missing"
    assert problems[1].startswith(f"{tmp_path / 'a' / '3'}: model.json cannot be read: ")


@pytest.mark.parametrize("name", ["empty", "nowhere"])
def test_a_repository_without_versions_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match=f"no version of a model in .*{name}"):
        read_versions(tmp_path / name)
