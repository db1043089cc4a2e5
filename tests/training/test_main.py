"""Packages that are missing are named, with the command that installs them."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from app.distribution import install_command
from training.__main__ import WAIT_FOR_FIRST_SECONDS, configure_logging, main

BLOCKED = (
    "import sys; sys.modules.update(dict.fromkeys({names!r})); from training.__main__ import main; sys.exit(main())"
)
PACKAGES = (
    *("torch", "lightning", "onnx", "onnxscript", "sklearn", "skimage", "pywt", "pyarrow", "scipy", "matplotlib"),
    *("pooch", "yaml", "rich", "tensorboard", "tqdm"),
)


def run_without(packages: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process that cannot import some packages."""
    command = [sys.executable, "-c", BLOCKED.format(names=packages), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["evaluate", "--help"], ["--version"]])
def test_the_help_needs_none_of_the_packages(arguments: list[str]) -> None:
    ended = run_without(PACKAGES, *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("package", ["torch", "yaml", "sklearn"])
def test_a_package_that_cannot_be_imported_is_named(package: str) -> None:
    ended = run_without((package,), "train", "digits-ae", "--no-export")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"hourglass-train: training needs {package}; this command installs what is missing: {install_command('train')}"
    )
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("command", [["train", "digits-ae"], ["export", "runs/x"], ["evaluate", "x"]])
def test_packages_that_are_not_installed_are_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "hourglass_autoencoders-1.dist-info"
    folder.mkdir()
    lines = [f"Requires-Dist: {name}; extra == 'train'\n" for name in ("missing-one", "pydantic", "missing-two")]
    (folder / "METADATA").write_text("Name: hourglass-autoencoders\nVersion: 1\n" + "".join(lines))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "training needs missing-one, missing-two; this command installs what is missing: " in error
    assert error.count("\n") == 1


def test_each_line_of_the_log_has_its_level(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    configure_logging()
    log = logging.getLogger("training.any")
    log.info("begun")
    log.warning("the network does not beat PCA")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2:4] for line in lines] == [["INFO", "begun"], ["WARNING", "the"]]


@pytest.mark.parametrize(("rank", "waits"), [("0", []), ("1", [WAIT_FOR_FIRST_SECONDS])])
def test_only_the_first_of_several_processes_reports_at_once(
    rank: str, waits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of any process ends all of them, and one that ends early would take the first one's message with it."""
    waited: list[float] = []

    def wait(seconds: float) -> None:
        assert capsys.readouterr().err == ""
        waited.append(seconds)

    monkeypatch.setattr("time.sleep", wait)
    monkeypatch.setenv("RANK", rank)
    assert main(["train", str(tmp_path / "missing.yaml")]) == 1
    assert waited == waits
    assert "missing.yaml" in capsys.readouterr().err
