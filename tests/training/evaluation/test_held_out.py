"""A held-out file is measured as a whole, beside the training data if they are where they were."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from app.inputs import VectorInput
from app.manifest import Manifest, Training
from tests.helpers import tiny
from training.config import Config, DataConfig, load_config
from training.data.load import load_data
from training.errors import DataError
from training.evaluation.held_out import EvaluationData, count_shared_rows, load_evaluation_data

COLUMNS = ("a", "b", "c", "d")


def write_table(path: Path, rows: int, seed: int, kinds: str = "xy", more: str = "") -> None:
    """Write a table of four columns of noise, a column `kind` unless there are no kinds, and one more with `more`."""
    numbers = np.random.default_rng(seed).normal(size=(rows, 4)).round(4)
    names = [*COLUMNS, *(["kind"] if kinds else []), *(["note"] if more else [])]
    lines = [",".join(names)]
    for index, row in enumerate(numbers.tolist()):
        cells = [*map(str, row), *([kinds[index % len(kinds)]] if kinds else []), *([more] if more else [])]
        lines.append(",".join(cells))
    path.write_text("\n".join(lines) + "\n")


class Trained:
    """A model of a table, as its manifest and its configuration describe it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        write_table(folder / "train.csv", 60, seed=0)
        data = DataConfig(path=str(folder / "train.csv"), label="kind")
        self.config: Config = load_config("table-ae").model_copy(update={"data": data})
        fingerprint = load_data(data, None, 0).fingerprint()
        training = Training(
            configuration=self.config.model_dump(mode="json"),
            data_fingerprint=fingerprint,
            libraries={},
            seed=0,
            minutes=1,
            hardware="any",
            finished="2026-01-01",
        )
        table = VectorInput(shape=(4,), feature_names=COLUMNS)
        manifest = Manifest.read(tiny.write_version(folder / "models", kind=table))
        self.manifest = manifest.model_copy(update={"training": training})

    def load(self, data: str | None = None, test: str | None = None, label: str | None = None) -> EvaluationData:
        """Return the data of an evaluation with these options."""
        return load_evaluation_data(self.manifest, self.config, (data, test), label, self.folder)


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    """Return a model and the table that it was trained on."""
    return Trained(tmp_path)


def test_without_a_path_the_own_test_part_is_measured(trained: Trained) -> None:
    chosen = trained.load()
    assert chosen.training is not None
    assert (len(chosen.data.test), chosen.data.is_whole, chosen.separation) == (6, False, False)


@pytest.mark.parametrize("option", ["data", "test"])
def test_every_row_of_a_held_out_file_is_measured_beside_the_training_rows(trained: Trained, option: str) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1, kinds="yz")
    chosen = trained.load(**{option: "new.csv"})
    assert (len(chosen.data.test), chosen.data.is_whole, chosen.separation) == (10, True, True)
    assert chosen.training is not None
    assert len(chosen.data.train) == len(chosen.training.train) == 43
    assert chosen.data.classes == ("x", "y", "z")
    assert chosen.data.test.labels is not None
    assert chosen.data.test.labels.tolist() == [1, 2] * 5


def test_training_data_that_are_gone_or_differ_are_not_used(trained: Trained) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1)
    write_table(trained.folder / "train.csv", 60, seed=5)
    changed = trained.load(data="new.csv")
    (trained.folder / "train.csv").unlink()
    gone = trained.load(data="new.csv")
    assert changed.training is gone.training is None
    assert len(changed.data.train) == len(gone.data.train) == 0


def test_the_file_that_the_model_was_trained_on_is_not_held_out(trained: Trained) -> None:
    (trained.folder / "train.csv").rename(trained.folder / "moved.csv")
    chosen = trained.load(data="moved.csv")
    assert chosen.training is chosen.data
    assert (len(chosen.data.test), chosen.data.is_whole) == (6, False)


def test_with_both_options_the_first_is_what_baselines_are_fitted_on(trained: Trained) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1)
    (trained.folder / "train.csv").rename(trained.folder / "moved.csv")
    chosen = trained.load(data="moved.csv", test="new.csv")
    assert (len(chosen.data.train), len(chosen.data.test)) == (43, 10)


def test_further_columns_are_named(trained: Trained, caplog: pytest.LogCaptureFixture) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1, more="hello")
    with caplog.at_level(logging.INFO):
        trained.load(data="new.csv")
    assert 'ignored 1 further column, which the model does not take: "note"' in caplog.text


def test_a_label_may_be_another_column_than_in_training(trained: Trained) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1, more="hello")
    chosen = trained.load(data="new.csv", label="note")
    assert chosen.data.classes == ("hello",)
    assert chosen.data.train.labels is None


def test_a_label_of_the_own_data_keeps_their_split(trained: Trained) -> None:
    write_table(trained.folder / "train.csv", 60, seed=0, more="hello")
    data = trained.config.data.model_copy(update={"drop": ("note",)})
    trained.config = trained.config.model_copy(update={"data": data})
    chosen = trained.load(label="note")
    assert chosen.training is not None
    assert chosen.data.classes == ("hello",)
    assert chosen.data.test.samples.tolist() == trained.load().data.test.samples.tolist()


def test_a_file_without_the_labels_of_training_is_measured_without_labels(
    trained: Trained, caplog: pytest.LogCaptureFixture
) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1, kinds="")
    with caplog.at_level(logging.INFO):
        assert trained.load(data="new.csv").data.test.labels is None
    assert 'has no column "kind", which held the labels in training' in caplog.text


@pytest.mark.parametrize(
    ("label", "message"),
    [("b", "--label b: the model 'tiny' takes this column as a feature"), ("colour", 'no column "colour"')],
)
def test_a_label_that_cannot_be_is_an_error(trained: Trained, label: str, message: str) -> None:
    write_table(trained.folder / "new.csv", 10, seed=1)
    with pytest.raises(DataError, match=message):
        trained.load(data="new.csv", label=label)


def test_rows_of_the_training_part_are_counted(trained: Trained, caplog: pytest.LogCaptureFixture) -> None:
    lines = (trained.folder / "train.csv").read_text().splitlines()
    write_table(trained.folder / "new.csv", 3, seed=1)
    with (trained.folder / "new.csv").open("a") as file:
        file.write("\n".join(lines[1:]) + "\n")
    chosen = trained.load(data="new.csv")
    assert chosen.training is not None
    assert count_shared_rows(chosen.training.train, chosen.data.test) == 43
    assert "new: 43 of 63 rows are also training rows" in caplog.text


def test_data_with_parts_of_their_own_are_measured_on_their_test_part(trained: Trained) -> None:
    random = np.random.default_rng(3)
    np.savez(trained.folder / "parts.npz", x_train=random.normal(size=(20, 4)), x_test=random.normal(size=(8, 4)))
    trained.config = trained.config.model_copy(update={"data": trained.config.data.model_copy(update={"label": None})})
    chosen = trained.load(data="parts.npz")
    assert (len(chosen.data.test), chosen.data.is_whole) == (8, False)
