"""The command `hourglass check`, and what the command line is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.__main__ import main
from app.manifest import DECODER, ENCODER, GOLDEN, MANIFEST
from app.settings import Settings
from tests.helpers import tiny


def flipped_byte(folder: Path) -> None:
    """A graph of the same length with another byte."""
    content = bytearray((folder / ENCODER).read_bytes())
    content[-1] ^= 1
    (folder / ENCODER).write_bytes(content)


def changed_golden(folder: Path) -> None:
    """Golden samples with one other number, and a manifest that vouches for them."""
    with np.load(folder / GOLDEN) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["reconstructions"][0, 0, 0, 0] += 0.01
    np.savez(folder / GOLDEN, **arrays)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


BREAKAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("checksum", flipped_byte, "encoder.onnx is not the file that the manifest names: its checksum differs"),
    ("golden", changed_golden, "golden.npz: reconstructions differ from those that were stored"),
    ("missing", lambda folder: (folder / DECODER).unlink(), "decoder.onnx is missing or empty"),
    ("manifest", lambda folder: (folder / MANIFEST).unlink(), "model.json is missing"),
]


@pytest.fixture(autouse=True)
def _logging_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands set up the log of their process, which here is that of the tests."""
    monkeypatch.setattr("app.__main__.configure_logging", lambda _: None)
    monkeypatch.setattr("app.commands.configure_logging", lambda _: None)


@pytest.mark.parametrize(("what", "damage", "reason"), BREAKAGES, ids=[what for what, *_ in BREAKAGES])
def test_check_gives_a_line_for_each_version_and_fails_for_a_broken_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, damage: Callable[[Path], object], reason: str
) -> None:
    for name, version in (("tiny", 1), ("tiny", 2), ("whole", 1)):
        tiny.write_version(tmp_path, name, version)
    check = ["check", "--models-dir", str(tmp_path)]
    assert main(check) == 0
    assert capsys.readouterr().out.splitlines() == ["whole   tiny/1", "whole   tiny/2", "whole   whole/1"]
    damage(tmp_path / "tiny" / "1")
    assert main(check) == 1
    broken, *others = capsys.readouterr().out.splitlines()
    assert broken.startswith("broken  tiny/1  ")
    assert reason in broken
    assert others == ["whole   tiny/2", "whole   whole/1"]
    assert main([*check, "whole"]) == 0
    assert main([*check, "tiny/2"]) == 0
    assert main([*check, "tiny"]) == 1


def test_check_names_what_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOURGLASS_MODELS_DIR", str(tmp_path))
    assert main(["check"]) == 1
    assert f"hourglass: {tmp_path} holds no version of any model" in capsys.readouterr().err
    tiny.write_version(tmp_path)
    assert main(["check"]) == 0
    assert main(["check", "tiny/2"]) == 1
    assert "holds no version of 'tiny/2': expected NAME or NAME/VERSION" in capsys.readouterr().err


def test_what_is_no_version_is_told_beside_the_table(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)
    (tmp_path / "tiny" / "01").mkdir()
    command = [sys.executable, "-m", "app", "check", "--models-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "whole   tiny/1\n")
    assert "not a version: skipped" in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_no_command_is_to_serve(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []

    def serve(settings: Settings) -> int:
        served.append(settings)
        return 0

    monkeypatch.setattr("app.__main__.serve", serve)
    assert main(arguments) == 0
    assert len(served) == 1
