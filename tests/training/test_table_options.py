"""The options about tables reach the configuration, from the command line to the features."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from training.__main__ import main
from training.table_options import add_table_options, separator, table_flags


def flags(*arguments: str) -> dict[str, Any]:
    """Return the flags that a command line gives."""
    parser = argparse.ArgumentParser()
    add_table_options(parser)
    return {flag: value for flag, value in table_flags(parser.parse_args(arguments)).items() if value is not None}


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ((), {}),
        (("--columns", "a", "b c"), {"--columns": ["a", "b c"]}),
        (("--drop", "a", "--drop", "b"), {"--drop": ["a", "b"]}),
        (("--one-hot",), {"--one-hot": True}),
        (("--one-hot", "a", "b"), {"--one-hot": ["a", "b"]}),
        (("--missing", "median", "--decimal", ","), {"--missing": "median", "--decimal": ","}),
        (("--separator", "tab", "--encoding", "cp1252"), {"--separator": "\t", "--encoding": "cp1252"}),
        (("--no-header",), {"--header": False}),
    ],
)
def test_flags_are_read(arguments: tuple[str, ...], given: dict[str, Any]) -> None:
    assert flags(*arguments) == given


def test_separators_have_names() -> None:
    assert [separator(word) for word in ("tab", "semicolon", ";", "Space")] == ["\t", ";", ";", " "]


@pytest.mark.parametrize(
    ("content", "options", "complaint"),
    [
        ("a,b\n1,\n2,3\n4,\n5,6\n7,8\n", (), "2 values: b 2; --missing drop leaves out 2 of 5 rows"),
        ("a,b\n1,x\n2,y\n3,x\n", (), "--one-hot b makes"),
        ("a,b\n1,2\n", ("--drop", "c"), 'no column "c" among a, b'),
        ("a,b\n1,2\n", ("--missing", "mean"), "--missing mean: Input should be 'refuse', 'drop' or 'median'"),
        ("a,b\n1,2\n", ("--separator", ";;"), "--separator ;;: "),
        ("gr\xf6\xdfe,b\n1,2\n", (), "expected at least 3 different rows"),
        ("a,b\n1,\0\n", (), "a NUL byte"),
    ],
)
def test_a_table_that_cannot_be_trained_on_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, options: tuple[str, ...], complaint: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content.encode("latin-1"))
    command = ["train", "table-ae", "--data", str(tmp_path / "t.csv"), "--run-dir", str(tmp_path / "run")]
    assert main([*command, "--no-export", *options]) == 1
    error = capsys.readouterr().err
    assert complaint in error
    assert "Traceback" not in error
