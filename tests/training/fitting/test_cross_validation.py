"""Each of few rows is held out once to choose the epochs, and all of them train the exported network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.histories import history_without_seconds
from tests.helpers.training_data import data_of, planted_rows
from training.choices.choose import settle
from training.config import Config, OptimisationConfig
from training.data.dataset import DataSet
from training.errors import InvalidConfiguration
from training.fitting.beginning import place_shortcut
from training.fitting.cross_validation import FILE, all_rows, folds_of
from training.fitting.runs import Run
from training.fitting.stages import Stage
from training.fitting.trainer import fit
from training.networks.build import build_network
from training.networks.shortcut import CorrectingStack
from training.preprocessing import fit_preprocessing

Item = tuple[torch.Tensor, torch.Tensor]


def config_of(name: str = "table-ae", **optimisation: object) -> Config:
    """Return a short configuration of a table."""
    return bundled_config(name, **{"epochs": 4, "batch_size": 16, "folds": 3, "patience": 2, **optimisation})


def bent(rows: int, seed: int = 0) -> np.ndarray:
    """Return a curved line in six dimensions: no plane of one dimension holds it."""
    t = np.random.default_rng(seed).uniform(-1.5, 1.5, (rows, 1))
    return np.concatenate([np.sin(k * t) for k in (1, 2, 3)] + [np.cos(k * t) for k in (1, 2, 3)], 1).astype(np.float32)


def rows_of(samples: np.ndarray) -> list[bytes]:
    """Return the bytes of each row, sorted."""
    return sorted(row.tobytes() for row in samples)


def reconstruct(run: Run, samples: np.ndarray) -> torch.Tensor:
    """Return preprocessed samples as the run's network reconstructs them, and leave them preprocessed."""
    with torch.no_grad():
        return run.network.reconstruct(run.preprocessing(torch.from_numpy(samples)))


def test_each_row_is_held_out_once_and_trains_the_other_folds() -> None:
    data = data_of(planted_rows(21, (2.0, 1.0), 4), planted_rows(6, (2.0, 1.0), 4) + 1)
    whole = np.concatenate([data.train.samples, data.validation.samples])
    folds = folds_of(data, 4, seed=0)
    assert rows_of(np.concatenate([fold.validation.samples for fold in folds])) == rows_of(whole)
    assert sorted(len(fold.validation) for fold in folds) == [6, 7, 7, 7]
    for fold in folds:
        assert rows_of(np.concatenate([fold.train.samples, fold.validation.samples])) == rows_of(whole)
    assert rows_of(all_rows(data).train.samples) == rows_of(whole)


def test_equal_rows_are_in_one_fold() -> None:
    rows = np.repeat(planted_rows(10, (2.0, 1.0), 4), 3, axis=0)
    for fold in folds_of(data_of(rows, rows[:5]), 5, seed=1):
        assert not set(rows_of(fold.train.samples)) & set(rows_of(fold.validation.samples))


def test_there_are_no_more_folds_than_different_rows() -> None:
    rows = np.repeat(planted_rows(3, (2.0,), 4), 4, axis=0)
    assert len(folds_of(data_of(rows, rows[:4]), 5, seed=0)) == 3


def test_the_epochs_are_those_with_the_least_held_out_error_and_all_rows_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = data_of(bent(60), bent(15, seed=1))
    seen: list[int] = []

    def note(self: Stage) -> None:
        loader = self.trainer.train_dataloader
        assert loader is not None
        seen.append(sum(len(samples) for samples, _ in loader))

    monkeypatch.setattr(Stage, "on_train_start", note)
    run = fit(config_of(epochs=30, passes=2), data, tmp_path / "run", accelerator="cpu")
    found = json.loads((tmp_path / "run" / FILE).read_text())
    errors = [record["validation/mse"] for record in found["history"]]
    assert found["epochs"] == errors.index(min(errors)) + 1 > 1
    assert seen == [2 * 50, 2 * 50, 2 * 50, 2 * 75]
    (history,) = run.record.history.values()
    assert [record["validation/mse"] for record in history] == errors[: found["epochs"]]
    assert run.record.cut_short is False


def test_without_an_improvement_the_network_is_pca_of_all_rows(tmp_path: Path) -> None:
    """Noise has no shape that training could find."""
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    data, config = data_of(rows[:45], rows[45:]), config_of(learning_rate=0.1)
    run = fit(config, data, tmp_path / "run", accelerator="cpu")
    assert json.loads((tmp_path / "run" / FILE).read_text())["epochs"] == 0
    settled = settle(config, data).config
    preprocessing, network = fit_preprocessing(settled, data), build_network(settled, data.input)
    place_shortcut(network, preprocessing, settled, data, whole=True)
    assert isinstance(network.stack, CorrectingStack)
    network.stack.begin()
    with torch.no_grad():
        expected = network.eval().reconstruct(preprocessing(torch.from_numpy(rows)))
    torch.testing.assert_close(reconstruct(run, rows), expected)


@pytest.mark.parametrize("training", [1, 3], ids=["in a fold", "with all rows"])
def test_a_resumed_run_equals_an_uninterrupted_one(
    training: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, config = data_of(bent(60), bent(15, seed=1)), config_of(epochs=8, ema_decay=0.9)
    whole = fit(config, data, tmp_path / "whole", accelerator="cpu")
    step, begin, begun = Stage.training_step, Stage.on_fit_start, list[Stage]()

    def note(self: Stage) -> None:
        begun.append(self)
        begin(self)

    def power_cut(self: Stage, batch: Item, batch_index: int) -> torch.Tensor:
        if len(begun) == training + 1 and self.current_epoch == 1:
            raise ConnectionError("power cut")
        return step(self, batch, batch_index)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "on_fit_start", note)
        patch.setattr(Stage, "training_step", power_cut)
        with pytest.raises(ConnectionError, match="power cut"):
            fit(config, data, tmp_path / "cut", accelerator="cpu")
    resumed = fit(config, data, tmp_path / "cut", resume=True, accelerator="cpu")
    pairs = zip(resumed.network.parameters(), whole.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert history_without_seconds(resumed.record) == history_without_seconds(whole.record)


def test_a_variational_table_is_cross_validated_too(tmp_path: Path) -> None:
    data = data_of(planted_rows(60, (3.0, 2.0), 6, noise=0.1), planted_rows(15, (3.0, 2.0), 6, noise=0.1))
    run = fit(config_of("table-vae"), data, tmp_path / "run", accelerator="cpu")
    assert len(json.loads((tmp_path / "run" / FILE).read_text())["history"]) >= 3
    assert torch.isfinite(reconstruct(run, data.test.samples)).all()


def test_rows_stand_beside_their_neighbours_in_every_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data are two distant clusters; every other row of a batch is a neighbour of the one before it."""
    random = np.random.default_rng(0)
    rows = np.where(np.arange(80)[:, None] % 2, 50.0, -50.0) + random.normal(size=(80, 4))
    data = data_of(rows.astype(np.float32)[:60], rows.astype(np.float32)[60:])
    pairs: list[list[bool]] = []

    def note(self: Stage) -> None:
        loader = self.trainer.train_dataloader
        assert loader is not None
        samples = next(iter(loader))[0][:, 0]
        pairs.append((samples[::2] * samples[1::2] > 0).tolist())

    monkeypatch.setattr(Stage, "on_train_start", note)
    fit(with_objective(config_of(epochs=2), neighbours=1.0), data, tmp_path / "run", accelerator="cpu")
    assert len(pairs) >= 3
    assert all(map(all, pairs))


def test_one_fold_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"one part leaves no rows to train on; expected 0, or 2 to 20"):
        OptimisationConfig(folds=1)


def test_time_that_runs_out_ends_every_training(tmp_path: Path) -> None:
    data = data_of(bent(60), bent(15, seed=1))
    run = fit(config_of(epochs=500), data, tmp_path / "run", accelerator="cpu", max_minutes=1e-6)
    assert run.record.cut_short
    assert not (tmp_path / "run" / FILE).exists()
    assert all(len(records) == 1 for records in run.record.history.values())


@pytest.mark.parametrize(
    ("name", "rows", "folds"),
    [("table-ae", 400, 5), ("table-vae", 400, 5), ("table-ae", 2_000, 0), ("digits-ae", 90, 0)],
)
def test_few_rows_of_tables_have_five_folds(name: str, rows: int, folds: int, digits: DataSet) -> None:
    data = digits if name == "digits-ae" else data_of(planted_rows(rows, (2.0, 1.0), 4))
    config = bundled_config(name)
    choices = settle(config, data)
    assert choices.config.optimisation.folds == folds
    assert choices.reasons.get("validation", "").startswith("5 parts of ") == bool(folds)


def test_folds_of_a_training_in_stages_are_refused() -> None:
    config = bundled_config("digits-sdae", folds=5)
    with pytest.raises(InvalidConfiguration, match=r"optimisation\.folds: .* several stages"):
        settle(config, data_of(planted_rows(100, (2.0, 1.0), 64)))
