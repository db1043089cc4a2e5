"""The options of the command, and the way to the functions that run it."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from app.cli import build_parser, parse_arguments, run_command, serve_command
from app.settings import Settings

OFFERED = {"port": 9000, "max_body_bytes": 5, "batching": False, "open_docs": True, "keys_file": Path("keys")}
"""Settings that differ from their defaults, and the options that say so."""
TYPED = ["--port=9000", "--max-body-bytes", "5", "--no-batching", "--open-docs", "--keys-file", "keys"]


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str], exit_code: int) -> str:
    """Return what a command prints that exits while its options are parsed."""
    with pytest.raises(SystemExit) as ended:
        run_command(arguments)
    assert ended.value.code == exit_code
    captured = capsys.readouterr()
    return captured.out + captured.err


def without_spaces(text: str) -> str:
    """Return a text as if it had not been wrapped."""
    return "".join(text.split())


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["--port", "1", "--help"]])
def test_the_help_lists_every_setting_as_option_and_variable(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = shown(arguments, capsys, 0)
    for name, field in Settings.model_fields.items():
        assert f"  --{name.replace('_', '-')}" in text
        assert f"HOURGLASS_{name.upper()}" in text
        assert without_spaces(str(field.description)) in without_spaces(text)


def test_the_help_begins_with_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(["--help"], capsys, 0)
    places = [text.index(f"\n    {command}") for command in ("serve", "import", "key", "check")]
    assert places == sorted(places)
    assert places[-1] < text.index("--max-rows ROWS")


def test_the_help_needs_no_model_and_no_server() -> None:
    program = (
        "import sys; from app.cli import run_command\n"
        "try: run_command(['--help'])\n"
        "except SystemExit: sys.exit(str({'onnxruntime', 'numpy', 'fastapi', 'uvicorn', 'structlog'} & {*sys.modules}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.stderr == "set()\n"


@pytest.mark.parametrize("command", [[], ["serve"]])
def test_every_kind_of_setting_is_an_option(command: list[str]) -> None:
    options = parse_arguments([*command, *TYPED])
    assert options.command is serve_command
    settings = options.settings.read(options)
    assert settings.model_dump(include=OFFERED.keys()) == OFFERED
    assert settings.model_fields_set == OFFERED.keys()


def test_options_win_over_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURGLASS_PORT", "1")
    monkeypatch.setenv("HOURGLASS_WORKERS", "2")
    monkeypatch.setenv("HOURGLASS_BATCHING", "false")
    monkeypatch.setenv("HOURGLASS_KEYS_FILE", "keys")
    options = parse_arguments(["--port", "9000", "--batching", "--keys-file", "none"])
    settings = options.settings.read(options)
    assert (settings.port, settings.workers, settings.batching, settings.keys_file) == (9000, 2, True, None)


def test_a_wrong_setting_is_named_as_it_was_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOURGLASS_WORKERS", "many")
    monkeypatch.setenv("HOURGLASS_MAX_ROWS", "5")
    assert run_command(["--port", "eighty", "--max-rows=0", "--rate-limit", "none"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "hourglass: --port: Input should be a valid integer, unable to parse string as an integer, got 'eighty'",
        "hourglass: HOURGLASS_WORKERS: Input should be a valid integer, unable to parse string as an integer, "
        "got 'many'",
        "hourglass: --max-rows: Input should be greater than or equal to 1, got '0'",
        "hourglass: --rate-limit: Input should be a valid string, got 'none'",
    ]


def test_an_address_of_kubernetes_is_no_port_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--port", "tcp://10.0.0.1:8000"]) == 1
    assert "hourglass: --port: Input should be a valid integer" in capsys.readouterr().err


def test_an_error_at_the_start_names_the_option_that_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOURGLASS_SSL_KEYFILE", str(tmp_path / "key.pem"))
    assert run_command(["--ssl-certfile", str(tmp_path / "missing.pem")]) == 1
    assert capsys.readouterr().err.startswith(f"hourglass: --ssl-certfile: {tmp_path / 'missing.pem'} and its key")
    assert run_command(["serve"]) == 1
    assert "hourglass: HOURGLASS_SSL_KEYFILE: expected HOURGLASS_SSL_CERTFILE as well" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prot", "9000"], "unrecognized arguments: --prot 9000; did you mean --port?"),
        (["serve", "--max_body_bytes=1"], "unrecognized arguments: --max_body_bytes=1; did you mean --max-body-bytes?"),
        (["--no-batch"], "unrecognized arguments: --no-batch; did you mean --no-batching?"),
        (["--max-row", "1"], "unrecognized arguments: --max-row 1; did you mean --max-rows?"),
        (["--no-port"], "unrecognized arguments: --no-port"),
        (["--port", "1", "x"], "unrecognized arguments: x\n"),
        (["--models-dir", "m", "check"], "unrecognized arguments: check; the command comes first: hourglass check"),
        (["check", "--models-dri", "m"], "unrecognized arguments: --models-dri"),
        (["chekc"], "invalid choice: 'chekc' (choose from"),
        (["--port"], "argument --port: expected one argument"),
    ],
)
def test_a_misspelt_command_line_exits_with_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sentence in shown(arguments, capsys, 2)


@pytest.mark.parametrize("length", ["0", "-1", "x", "1.5"])
def test_a_length_of_a_shape_is_a_positive_number(length: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["import", "--encoder=e", "--decoder=d", "--name=n", "--shape", length])
    assert "--shape" in capsys.readouterr().err


def test_the_garbage_collector_is_off_only_for_the_start_of_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    states = []

    def record(_: object) -> int:
        states.append(gc.isenabled())
        return 0

    for name in ("app.serving.run.serve", "app.commands.key_command"):
        monkeypatch.setattr(name, record)
    assert main(["serve"]) == 0
    assert main(["key", "somebody"]) == 0
    assert states == [False, True]
    assert gc.isenabled()
