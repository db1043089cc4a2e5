"""The commands `import`, `check` and `key`, and serving by default."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from app.__main__ import main
from app.manifest import DECODER, ENCODER, GOLDEN, MANIFEST, SCORER
from app.server.guard.keys import KeyScope, key_line
from app.settings import Settings
from tests.helpers import foreign, tiny
from tests.helpers.imports import LAST, arguments, refusal


def flip_byte(folder: Path) -> None:
    """Change one byte of a graph."""
    content = bytearray((folder / ENCODER).read_bytes())
    content[-1] ^= 1
    (folder / ENCODER).write_bytes(content)


def change_golden(folder: Path) -> None:
    """Change one number of the golden samples, and write a manifest with their checksum."""
    with np.load(folder / GOLDEN) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["reconstructions"][0, 0, 0, 0] += 0.01
    np.savez(folder / GOLDEN, **arrays)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


def replace_scorer(folder: Path) -> None:
    """Replace a scorer by one with other scores, also in the manifest."""
    onnx.save(tiny.scorer_graph((1, 2, 2), power=3.0), folder / SCORER)
    tiny.write_manifest(folder, "tiny", 1, "autoencoder")


BREAKAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("checksum", flip_byte, "encoder.onnx is not the file that the manifest names: its checksum differs"),
    ("golden", change_golden, "golden.npz: reconstructions differ from those that were stored"),
    ("missing", lambda folder: (folder / DECODER).unlink(), "decoder.onnx is missing"),
    ("scorer", lambda folder: (folder / SCORER).write_bytes(b"x"), "scorer.onnx is not the file that the manifest"),
    ("another scorer", replace_scorer, "score differ from those that were stored"),
    ("manifest", lambda folder: (folder / MANIFEST).unlink(), "model.json is missing"),
]


@pytest.fixture(autouse=True)
def _logging_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep commands from configuring the log of the process, which here runs the tests."""
    monkeypatch.setattr("app.logs.configure_logging", lambda _: None)
    monkeypatch.setattr("app.commands.configure_logging", lambda _: None)


@pytest.mark.parametrize(("label", "damage", "reason"), BREAKAGES, ids=[label for label, *_ in BREAKAGES])
def test_check_prints_a_line_for_each_version_and_fails_if_one_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], label: str, damage: Callable[[Path], object], reason: str
) -> None:
    for name, version in (("tiny", 1), ("tiny", 2), ("whole", 1)):
        tiny.write_version(tmp_path, name, version, scorer=name == "tiny")
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


def test_check_names_a_missing_model_or_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOURGLASS_MODELS_DIR", str(tmp_path))
    assert main(["check"]) == 1
    assert f"hourglass: no valid model in {tmp_path}, which is empty: set " in capsys.readouterr().err
    assert main(["check", "tiny"]) == 1
    assert "which is empty" in capsys.readouterr().err
    tiny.write_version(tmp_path)
    assert main(["check"]) == 0
    assert main(["check", "tiny/2"]) == 1
    assert "holds no version of 'tiny/2': expected NAME or NAME/VERSION" in capsys.readouterr().err


def test_check_warns_of_folders_that_are_not_versions(tmp_path: Path) -> None:
    tiny.write_version(tmp_path)
    (tmp_path / "tiny" / "01").mkdir()
    command = [sys.executable, "-m", "app", "check", "--models-dir", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "whole   tiny/1\n")
    assert "not a version: skipped" in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_without_a_command_it_serves(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[Settings] = []

    def serve(settings: Settings) -> int:
        served.append(settings)
        return 0

    monkeypatch.setattr("app.serving.run.serve", serve)
    assert main(arguments) == 0
    assert len(served) == 1


def test_a_dry_run_reports_everything_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx", LAST, batch=1)
    foreign.decoder(tmp_path / "d.onnx")
    assert main(arguments(tmp_path, "--dry-run")) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "encoder  e.onnx: opset 18; x float32 [4, 5, 3], batch fixed at 1 -> code",
        "decoder  d.onnx: opset 18; code float32 [6], batch free -> x_hat",
        "samples  image [3, 4, 5], 0 to 1",
        "latents  deterministic, 6",
        "model    autoencoder: encode, decode, reconstruct, interpolate",
        "adapted  encoder: x: named samples, channels moved to the last axis",
        "adapted  encoder: code: named latents",
        "adapted  encoder: batch axis: fixed at 1, made free",
        "adapted  decoder: code: named latents",
        "adapted  decoder: x_hat: named samples, clipped to 0..1",
        f"all checks passed; this would be {tmp_path / 'models' / 'mine' / '1'}",
    ]
    assert not (tmp_path / "models").exists()


def test_a_folder_that_cannot_be_written_is_reported_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign.wide_encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    (tmp_path / "file").write_text("")
    command = arguments(tmp_path, "--encoder-gives", "mu,logvar", "--models-dir", str(tmp_path / "file"))
    assert main(command) == 1
    assert "file/mine cannot be written: Not a directory" in capsys.readouterr().err


def test_import_without_onnx_names_the_package_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.commands.find_spec", lambda _: None)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    (requirement,) = project["optional-dependencies"]["import"]
    assert refusal(tmp_path, capsys) == f"hourglass: import needs the package onnx: pip install '{requirement}'"


def test_import_loads_neither_torch_nor_training(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    program = (
        "import sys; from app.__main__ import main; main(sys.argv[1:]);"
        "print({name.split('.')[0] for name in sys.modules} & {'torch', 'training'})"
    )
    command = [sys.executable, "-c", program, *arguments(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(("options", "scope"), [([], "inference"), (["--control"], "control")])
def test_key_prints_the_key_once_and_its_line(
    options: list[str], scope: KeyScope, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["key", "alice", *options]) == 0
    output = capsys.readouterr()
    key = output.err.split()[-1]
    assert output.out == key_line("alice", scope, key) + "\n"
    assert key not in output.out


def test_key_refuses_a_name_that_the_file_cannot_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "a b"]) == 1
    assert "expected a name" in capsys.readouterr().err
