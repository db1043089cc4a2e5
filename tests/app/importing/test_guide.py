"""The guide to importing is true: its example, its table of options, its limits."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from app.cli import build_parser
from app.engine.repository import load_version
from app.importing.names import ENCODER_WORDS
from app.importing.reading import MIN_OPSET

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "import.md").read_text()


def blocks(language: str) -> list[str]:
    """Return the guide's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command of the guide, with this environment's commands in the path."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HOURGLASS_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-ec", command], cwd=folder, env={**plain, "PATH": path}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended


def test_the_example_gives_the_output_of_the_guide(tmp_path: Path) -> None:
    (program,) = blocks("python")
    trying, writing = blocks("sh")
    (shown,) = (block for block in blocks("text") if block.startswith("models/"))
    (tmp_path / "example.py").write_text(program)
    shell("python example.py", tmp_path)
    tried = shell(trying, tmp_path)
    assert (tried.stdout, (tmp_path / "models").exists()) == ("", False)
    assert "z: left out" in tried.stderr
    assert shell(writing, tmp_path).stdout == shown
    assert load_version(tmp_path / "models" / "mine" / "1", "mine", 1).generate(2, seed=0).shape == (2, 1, 28, 28)


def test_the_table_lists_every_option() -> None:
    (commands,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    options = {option for action in commands.choices["import"]._actions for option in action.option_strings}
    rows = re.findall(r"^\| (`--.*?) \|", GUIDE, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"--[a-z-]+", row)} == options - {"-h", "--help"}


def test_words_and_limits_match_the_code() -> None:
    (row,) = re.findall(r"^\| `--encoder-gives WORDS` \|(.*)\|$", GUIDE, re.MULTILINE)
    assert set(re.findall(r"`([a-z_]+|-)`", row)) == set(ENCODER_WORDS)
    assert f"an opset below {MIN_OPSET}," in GUIDE
