"""Imported models of arrays, and those whose encoder takes labels, are evaluated like others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import app.__main__
from bench.cases.imports import conditional, volumes, weights
from training.__main__ import main


def import_pair(folder: Path) -> None:
    """Import `e.onnx` and `d.onnx` of a folder as `m`."""
    halves = ["--encoder", str(folder / "e.onnx"), "--decoder", str(folder / "d.onnx")]
    assert app.__main__.main(["import", *halves, "--name", "m", "--models-dir", str(folder / "models")]) == 0


def evaluate(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, float], str]:
    """Evaluate `m`, and return the exit code, all values by name, and the lines of stderr."""
    capsys.readouterr()
    code = main(["evaluate", "m", "--models-dir", str(folder / "models"), *options])
    printed = capsys.readouterr()
    metrics: list[dict[str, Any]] = json.loads(printed.out)["metrics"] if printed.out else []
    return code, {name: value for metric in metrics for name, value in metric["values"].items()}, printed.err


def test_a_model_of_arrays_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both halves are linear, so that numpy computes the reconstructions; PCA of 4 of 120 components does better."""
    volumes(tmp_path)
    import_pair(tmp_path)
    samples = np.random.default_rng(1).normal(size=(60, 1, 4, 5, 6)).astype(np.float32)
    np.savez(tmp_path / "both.npz", train_images=samples[:40], test_images=samples[40:])
    code, values, err = evaluate(
        tmp_path, capsys, "--data", str(tmp_path / "both.npz"), "--report", str(tmp_path / "r")
    )
    flat = samples[40:].reshape(20, 120)
    expected = np.square(flat @ weights(120, 4) @ weights(4, 120) - flat).mean()
    assert code == 0, err
    assert values["mse"] == pytest.approx(expected, rel=1e-4)
    assert values["pca_mse"] < expected
    assert (tmp_path / "r" / "figures" / "reconstructions.png").exists()


def test_arrays_of_another_size_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volumes(tmp_path)
    import_pair(tmp_path)
    np.save(tmp_path / "x.npy", np.random.default_rng(1).normal(size=(60, 1, 4, 5, 5)))
    code, _, err = evaluate(tmp_path, capsys, "--data", str(tmp_path / "x.npy"))
    assert code == 1
    assert "x: expected samples of shape [1, 4, 5, 6], which the model 'm' takes, got [100]" in err


def test_a_conditional_encoder_is_measured_with_each_rows_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both halves add a number to their product, which the label chooses."""
    conditional(tmp_path)
    import_pair(tmp_path)
    rows, labels = np.random.default_rng(2).normal(size=(60, 10)), np.arange(60) % 3
    np.savez(tmp_path / "x.npz", train_data=rows[:40], test_data=rows[40:], train_y=labels[:40], test_y=labels[40:])
    code, values, _ = evaluate(tmp_path, capsys, "--data", str(tmp_path / "x.npz"), "--report", str(tmp_path / "r"))
    hot, x = np.eye(3)[labels[40:]], rows[40:]
    latents = x @ weights(10, 4) + hot @ weights(3, 4)
    expected = np.square(latents @ weights(4, 10) + hot @ weights(3, 10) - x).mean()
    assert code == 0
    assert values["mse"] == pytest.approx(expected, rel=1e-4)
    assert (tmp_path / "r" / "figures" / "latents.png").exists()


def test_a_conditional_model_takes_labels_from_a_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conditional(tmp_path)
    import_pair(tmp_path)
    rows = np.random.default_rng(2).normal(size=(60, 10))
    lines = [",".join([*(f"{value:.5f}" for value in row), str(number % 3)]) for number, row in enumerate(rows)]
    (tmp_path / "x.csv").write_text("\n".join([",".join([*"abcdefghij", "kind"]), *lines]) + "\n")
    data = ("--data", str(tmp_path / "x.csv"))
    assert evaluate(tmp_path, capsys, *data, "--label", "kind")[0] == 0
    code, _, err = evaluate(tmp_path, capsys, *data)
    assert code == 1
    assert "x: expected samples of shape [10]" in err
