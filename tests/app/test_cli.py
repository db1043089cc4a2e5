"""The options of the command, and the way to the functions that run it."""

from __future__ import annotations

import pytest

from app.cli import build_parser, run_command
from app.settings import Settings


def test_the_help_lists_every_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name, field in Settings.model_fields.items():
        assert f"HOURGLASS_{name.upper()}" in shown
        assert str(field.description) in shown


@pytest.mark.parametrize("length", ["0", "-1", "x", "1.5"])
def test_a_length_of_a_shape_is_a_positive_number(length: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["import", "--encoder=e", "--decoder=d", "--name=n", "--shape", length])
    assert "--shape" in capsys.readouterr().err
