"""The command `prior` adds a prior to any version, also to an imported one."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from app.engine.repository import load_version
from app.manifest import Manifest
from tests.helpers import tiny
from training.__main__ import main
from training.config import PriorConfig, load_config
from training.errors import InvalidConfiguration
from training.priors.commands import own_options, prior_options

NOTHING = Namespace(kind=None, components=None, covariance=None)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write a table with the columns of the tiny model, and a label."""
    rows = np.random.default_rng(0).normal(size=(90, 4)).round(4).tolist()
    lines = [",".join(map(str, row)) + f",{tiny.LABELS[i % 3]}" for i, row in enumerate(rows)]
    path = tmp_path / "table.csv"
    path.write_text("a,b,c,d,class\n" + "\n".join(lines) + "\n")
    return path


def run(tmp_path: Path, *options: str) -> int:
    """Run the command on the tiny model."""
    return main(["prior", "tiny", "--models-dir", str(tmp_path / "models"), *options])


def test_an_imported_version_gets_a_prior(tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE)
    assert run(tmp_path, "--data", str(table), "--components", "2", "--covariance", "diagonal") == 0
    folder = Path(capsys.readouterr().out.strip())
    assert folder == tmp_path / "models" / "tiny" / "2"
    prior = Manifest.read(folder).prior
    assert prior is not None
    assert (prior.components, prior.covariance) == ((2,), "diagonal")
    assert "codes of table, training part" in prior.fitted_on
    assert load_version(folder, "tiny", 2).generate(4, seed=0).shape == (4, 4)


def test_a_conditional_version_gets_a_prior_for_each_label(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE, labels=tiny.LABELS)
    assert run(tmp_path, "--data", str(table), "--label", "class", "--components", "1") == 0
    prior = Manifest.read(Path(capsys.readouterr().out.strip())).prior
    assert prior is not None
    assert prior.components == (1, 1, 1)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ([], "tiny was not trained here: --data must name the data"),
        (["--data", "nowhere.csv"], "no such file or folder: nowhere.csv"),
        (["--components", "0"], "--components: Input should be greater than or equal to 1"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    tiny.write_version(tmp_path / "models", kind=tiny.TABLE)
    assert run(tmp_path, *options) == 1
    assert complaint in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "models" / "tiny").iterdir()] == ["1"]


def test_the_command_line_overrules_the_models_own_configuration() -> None:
    config = load_config("digits-ae").model_copy(update={"prior": PriorConfig(kind="none", components=4, rows=50)})
    assert own_options(config, NOTHING) == PriorConfig(kind="auto", components=4, rows=50)
    assert own_options(config, Namespace(kind="gmm", components=7, covariance="full")) == PriorConfig(
        kind="gmm", components=7, covariance="full", rows=50
    )
    assert own_options(None, NOTHING) == PriorConfig()


def test_a_wrong_option_is_named_as_it_is_typed() -> None:
    with pytest.raises(InvalidConfiguration, match=r"^--covariance: "):
        prior_options(PriorConfig(), Namespace(kind=None, components=None, covariance="round"))
