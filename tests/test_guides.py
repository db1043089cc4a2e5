"""The guides for operators are complete, and their commands run."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import app.server.refusals
from app import errors
from tests.helpers.process import free_port, run_shell, serving, use_address

ROOT = Path(__file__).parent.parent
TROUBLESHOOTING = (ROOT / "docs/guides/troubleshooting.md").read_text()
STARTUP_ERRORS = {"StartupError", "NoModels"}


def shell_blocks(document: str) -> list[str]:
    """Return the commands of a guide's ```sh blocks."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^ *```", (ROOT / "docs/guides" / document).read_text(), re.DOTALL | re.M)
    return [re.sub(f"^{indent}", "", commands, flags=re.M) for indent, commands in blocks]


def codes(base: type[errors.ServiceError] = errors.ServiceError) -> Iterator[tuple[str, int]]:
    """Yield the code and the status of every error that a client can get."""
    for child in base.__subclasses__():
        yield child.code, child.status
        yield from codes(child)


def calls() -> Iterator[ast.Call]:
    """Yield every call in the code of the server."""
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                yield node


def test_troubleshooting_has_every_error_code_with_its_status() -> None:
    assert app.server.refusals.RequestTimeout in errors.ServiceError.__subclasses__()
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \|", TROUBLESHOOTING, re.M)
    assert sorted((code, int(status)) for code, status in rows) == sorted(set(codes()))


def test_troubleshooting_has_every_warning_and_error_of_the_log() -> None:
    events = {
        str(call.args[0].value)
        for call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("warning", "error", "exception")
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
    assert {"version skipped", "reload failed", "run stopped"} <= events
    assert {event for event in events if f"`{event}`" not in TROUBLESHOOTING} == set()


def test_troubleshooting_has_the_sentence_of_every_failed_start() -> None:
    sentences = [
        clauses(call.args[0])
        for call in calls()
        if isinstance(call.func, ast.Name) and call.func.id in STARTUP_ERRORS and call.args
    ]
    assert any("cannot listen on" in sentence for sentence in sentences)
    missing = [sentence for sentence in sentences if not any(clause in TROUBLESHOOTING for clause in sentence)]
    assert [sentence for sentence in missing if sentence] == []


def clauses(message: ast.expr) -> list[str]:
    """Return the clauses of a message that do not depend on values and are long enough to be recognised."""
    texts = [str(node.value) for node in ast.walk(message) if isinstance(node, ast.Constant)]
    parts = [part.strip(" ,.") for text in texts for part in re.split(r"[:;(]", text)]
    return [part for part in parts if len(part) >= 10 and not part.startswith("HOURGLASS_")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a copy of the bundled models, and with a second version that was copied from elsewhere."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    source, target = tmp_path / "models/mnist-vae/1", tmp_path / "transfer/mnist-vae/2"
    shutil.copytree(source, target)
    manifest = target / "model.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 2', 1))
    return tmp_path


def test_the_commands_of_upgrading_run_in_their_order(folder: Path) -> None:
    copy, ask, withdraw, check, beside = shell_blocks("upgrading.md")
    with serving(models_dir=str(folder / "models"), reload_seconds="0.1") as (_, address, lines):
        run_shell(use_our_program(copy, folder), folder)
        wait_for_line(lines, '"version loaded"', '"version": 2')
        assert '"version":2' in run_shell(use_address(ask, address), folder).replace(" ", "")
        run_shell(use_our_program(withdraw, folder), folder)
        wait_for_line(lines, '"version removed"', '"version": 2')
    assert "whole   mnist-vae/1" in run_shell(use_our_program(check, folder), folder)
    port = str(free_port())
    beside = beside.replace("8001", port).replace("curl ", "curl --show-error ")
    answer = run_shell("export HOURGLASS_DRAIN_SECONDS=0\n" + use_our_program(beside, folder), folder)
    assert '"seed":7' in answer.replace(" ", "")


def test_the_commands_of_troubleshooting_run(folder: Path) -> None:
    (commands,) = shell_blocks("troubleshooting.md")
    with serving(models_dir=str(folder / "models")) as (_, address, _):
        output = run_shell(use_our_program(use_address(commands, address), folder), folder)
    assert '{"status":"ok"}' in output
    assert "hourglass_queue_rows" in output
    assert "whole   mnist-ae/1" in output


def use_our_program(commands: str, folder: Path) -> str:
    """Return commands that run this repository's server, and find the other machine's models in a folder."""
    program = str(Path(sys.executable).parent / "hourglass")
    return re.sub(r"\bhourglass (?=check|--|&)", f"{program} ", commands.replace("/transfer", str(folder / "transfer")))


def wait_for_line(lines: list[str], *texts: str) -> None:
    """Wait until a line of the log holds some texts."""
    end = time.monotonic() + 60
    while not any(all(text in line for text in texts) for line in list(lines)):
        assert time.monotonic() < end
        time.sleep(0.05)
