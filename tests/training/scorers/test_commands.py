"""The command `scorer` adds a scorer to any version, and never calibrates it on rows that the model was fitted to."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from app.engine.repository import load_version
from app.manifest import Manifest
from tests.helpers import tiny
from training.__main__ import main
from training.config import ScorerConfig
from training.errors import DataError
from training.evaluation.version import stored_config
from training.scorers.commands import load_scorer_data, scorer_options


def write_table(path: Path, rows: int, seed: int = 0) -> Path:
    """Write a table with the columns of the tiny model."""
    numbers = np.random.default_rng(seed).normal(size=(rows, 4)).round(4).tolist()
    path.write_text("\n".join(["a,b,c,d", *(",".join(map(str, row)) for row in numbers)]) + "\n")
    return path


def run(tmp_path: Path, *options: str) -> int:
    """Run the command on the tiny model."""
    return main(["scorer", "tiny", "--models-dir", str(tmp_path / "models"), *options])


def test_an_imported_version_gets_a_scorer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE)
    assert run(tmp_path, "--data", str(write_table(tmp_path / "rows.csv", 200)), "--bank-rows", "50") == 0
    printed = capsys.readouterr()
    folder = Path(printed.out.strip())
    assert folder == tmp_path / "models" / "tiny" / "2"
    scorer = Manifest.read(folder).scorer
    assert scorer is not None
    assert (scorer.bank_rows, scorer.calibration_rows) == (50, 19)
    assert "its training rows are not at hand" in printed.err
    assert load_version(folder, "tiny", 2).run_scorer(np.zeros((3, 4), np.float32)).scores.shape == (3,)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "tiny was not trained here: --data must name the data"),
        (["--data", "nowhere.csv"], "no such file or folder: nowhere.csv"),
        (["--bank-rows", "1"], "--bank-rows: Input should be greater than or equal to 2"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE)
    assert run(tmp_path, *options) == 1
    assert complaint in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models" / "tiny").iterdir()] == ["1"]


def test_too_few_rows_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE)
    assert run(tmp_path, "--data", str(write_table(tmp_path / "rows.csv", 60))) == 1
    assert "rows: a scorer needs a training, a validation and a calibration part" in capsys.readouterr().err


def trained(tmp_path: Path, *options: str) -> Manifest:
    """Train a small model of a table of 270 rows, and return its manifest."""
    write_table(tmp_path / "own.csv", 270)
    arguments = ["train", "table-ae", "--epochs", "1", "--data", str(tmp_path / "own.csv"), "--name", "tiny"]
    places = ["--models-dir", str(tmp_path / "models"), "--run-dir", str(tmp_path / "run")]
    assert main([*arguments, *places, "--set", "prior.kind=none", *options]) == 0
    return Manifest.read(tmp_path / "models" / "tiny" / "1")


def test_the_trainers_own_calibration_rows_are_used_again(tmp_path: Path) -> None:
    manifest = trained(tmp_path)
    assert manifest.scorer is not None
    assert manifest.scorer.calibration_rows == 19
    assert any("false_positive_rate_0.1" in measured.values for measured in manifest.metrics)
    assert manifest.training is not None
    assert run(tmp_path) == 0
    again = Manifest.read(tmp_path / "models" / "tiny" / "2")
    assert again.scorer == manifest.scorer


def test_without_a_calibration_part_a_model_is_calibrated_on_half_of_the_test_part(tmp_path: Path) -> None:
    manifest = trained(tmp_path, "--set", "scorer.kind=none", "--set", "data.test=0.4")
    assert manifest.scorer is None
    assert run(tmp_path) == 0
    scorer = Manifest.read(tmp_path / "models" / "tiny" / "2").scorer
    assert scorer is not None
    assert scorer.calibration_rows == 54  # of 108
    other = write_table(tmp_path / "other.csv", 200)  # whose first rows are the model's own
    with pytest.raises(DataError, match=r"calibration rows are also training rows of tiny"):
        load_scorer_data(manifest, stored_config(manifest), ScorerConfig(), str(other), None)


def test_the_command_asks_for_a_scorer_whatever_the_models_own_configuration() -> None:
    own = ScorerConfig(kind="none", bank_rows=70)
    assert scorer_options(own, Namespace(bank_rows=None)) == ScorerConfig(kind="auto", bank_rows=70)
    assert scorer_options(own, Namespace(bank_rows=9)).bank_rows == 9
