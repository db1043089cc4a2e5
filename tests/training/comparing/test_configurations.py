"""Contenders are measured on the validation part, in units that are the same for all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tests.helpers.configurations import bundled_config
from tests.helpers.training_data import load_array
from training.comparing.configurations import (
    Contender,
    best_of,
    contenders_as_json,
    describe_contenders,
    error_scale,
    judge,
    reconstruct_rows,
)
from training.data.dataset import DataSet
from training.fitting.runs import Run
from training.fitting.trainer import fit


@pytest.fixture(scope="module")
def run(digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a run of one epoch."""
    config = bundled_config("digits-vae", epochs=1)
    return fit(config, digits, tmp_path_factory.mktemp("run") / "x", accelerator="cpu")


def contender(name: str, error: float, pca: float = 0.5) -> Contender:
    """Return a contender with this error."""
    return Contender(name, 8, error, pca, 3, 0.25, f"runs/compare/{name}")


def test_the_error_is_that_of_the_validation_part_in_the_value_range(run: Run, digits: DataSet) -> None:
    x = digits.validation.in_users_units() / 16
    with torch.no_grad():
        expected = run.network.reconstruct(torch.from_numpy(x)).numpy()
    judged = judge("digits-vae", run, digits)
    assert judged.validation_mse == pytest.approx(np.square(expected - x).mean(), rel=1e-4)
    train = digits.train.in_users_units().reshape(-1, 64) / 16
    pca = PCA(2).fit(train)
    flat = x.reshape(-1, 64)
    linear = pca.inverse_transform(pca.transform(flat))
    assert judged.pca_mse == pytest.approx(np.square(linear - flat).mean(), rel=1e-3)
    assert (judged.epochs, judged.latents, judged.run) == (1, 2, str(run.folder))


def test_the_unit_of_a_table_is_each_columns_deviation(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32) * [1, 1000, 0] + [0, 0, 5]
    data = load_array(tmp_path, rows.astype(np.float32))
    assert error_scale(data) == pytest.approx([*data.train.in_users_units().std(axis=0)[:2], 1], rel=1e-3)


def test_a_conditional_network_decodes_each_row_under_its_label(digits: DataSet, tmp_path: Path) -> None:
    config = bundled_config("digits-vae", epochs=1)
    config = config.model_copy(update={"objective": config.objective.model_copy(update={"conditional": True})})
    run = fit(config, digits, tmp_path / "x", accelerator="cpu")
    rows = digits.validation.take(slice(20))
    assert rows.labels is not None
    other = replace(rows, labels=(rows.labels + 1) % 10)
    own = reconstruct_rows(run, digits, rows)
    assert own.shape == (20, 1, 8, 8)
    assert not np.allclose(own, reconstruct_rows(run, digits, other))


def test_the_best_has_the_least_error_and_is_named() -> None:
    contenders = [contender("a", 0.3), contender("b", 0.1), contender("c", 0.1)]
    assert best_of(contenders).configuration == "b"
    lines = describe_contenders(contenders, 144).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["configuration", "b", "c", "a"]
    assert lines[1].split() == ["b", "8", "0.1", "0.5", "0.2", "3", "0.25"]
    assert lines[-1] == "best on 144 validation rows: b, whose run is runs/compare/b"
    assert json.loads(contenders_as_json(contenders))["best"] == "b"


def test_a_perfect_pca_has_no_ratio() -> None:
    assert contender("a", 0.1, pca=0.0).ratio == float("inf")
