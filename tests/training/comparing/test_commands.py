"""The commands `list` and `compare` print their result to stdout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from app.manifest import Manifest
from tests.helpers import tiny
from training.__main__ import main
from training.cli import build_parser
from training.comparing.commands import choose_configs
from training.config import Config, load_config
from training.errors import InvalidConfiguration


def chosen(*arguments: str) -> dict[str, Config]:
    """Return the configurations of a comparison with these options."""
    return choose_configs(build_parser().parse_args(["compare", *arguments]))


def test_versions_are_listed_as_a_table_or_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.write_version(tmp_path, "a", 1)
    (tmp_path / "a" / "2").mkdir()
    assert main(["list", "--models-dir", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1].startswith("a/1 ")
    assert "WARNING" in captured.err
    assert "model.json is missing" in captured.err
    assert main(["list", "--models-dir", str(tmp_path), "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["a"]


def test_all_configurations_get_the_rows_and_the_seed_of_the_first() -> None:
    configs = chosen("digits-ae", "digits-vae", "--seed", "3", "--set", "data.validation=0.2")
    assert {config.optimisation.seed for config in configs.values()} == {3}
    first, second = configs.values()
    assert first.data == second.data
    assert first.data.validation == 0.2
    assert first.network != second.network


def test_a_conditional_model_among_the_configurations_leaves_all_without_a_scorer(tmp_path: Path) -> None:
    """They share the rows, and a conditional model leaves none for the calibration."""
    assert {config.scorer.kind for config in chosen("digits-ae", "digits-vae").values()} == {"auto"}
    config = load_config("digits-vae").model_dump(mode="json")
    config["objective"]["conditional"] = True
    (tmp_path / "conditional.yaml").write_text(yaml.safe_dump(config))
    configs = chosen("digits-ae", str(tmp_path / "conditional.yaml"))
    assert {config.scorer.kind for config in configs.values()} == {"none"}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("digits-ae", "mnist-ae"), "digits-ae and mnist-ae name different data; --data names the data for all"),
        (("digits-ae", "digits-ae"), "two configurations are called digits-ae"),
    ],
)
def test_a_comparison_of_different_things_is_an_error(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        chosen(*names)


def test_configurations_are_compared_and_the_best_is_exported_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--run-dir", str(tmp_path / "runs"), "--models-dir", str(tmp_path / "models")]
    command = ["compare", "digits-ae", "digits-vae", "--epochs", "2", "--accelerator", "cpu", *places]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "best on 144 validation rows: digits-ae, whose run is" in captured.out
    assert f"hourglass-train export {tmp_path / 'runs' / 'digits-ae'} exports the best" in captured.err
    assert not (tmp_path / "models").exists()
    assert main([*command, "--resume", "--export", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["best"] == "digits-ae"
    assert Manifest.read(tmp_path / "models" / "digits-ae" / "1").name == "digits-ae"
    assert main(command) == 1
    assert "holds a run already" in capsys.readouterr().err
