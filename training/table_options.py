"""The options of `hourglass-train` that only tables have."""

from __future__ import annotations

import argparse
from typing import Any

SEPARATOR_WORDS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "space": " ", "spaces": " ", "pipe": "|"}


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add the options about columns, missing values and the dialect of text files."""
    group = parser.add_argument_group("tables")
    group.add_argument("--columns", nargs="+", action="extend", metavar="COLUMN", help="train on these columns alone")
    group.add_argument("--drop", nargs="+", action="extend", metavar="COLUMN", help="leave these columns out")
    group.add_argument("--missing", help="missing values: refuse, drop (the rows) or median (of the training part)")
    group.add_argument(
        "--one-hot",
        nargs="*",
        action="extend",
        metavar="COLUMN",
        help="a column of 0 and 1 for each value of these columns; of all text with few values if none is named",
    )
    group.add_argument("--separator", type=separator, help="of a text file's columns, such as ';' or tab")
    group.add_argument("--decimal", help="the decimal sign of a text file: . or ,")
    group.add_argument("--encoding", help="of a text file, such as utf-8 or cp1252")
    group.add_argument(
        "--header", action=argparse.BooleanOptionalAction, help="a text file has the columns' names in its first row"
    )


def table_flags(options: argparse.Namespace) -> dict[str, Any]:
    """Return the values that the command line gives to the options of tables, by flag; None for the others."""
    names = ("columns", "drop", "missing", "one_hot", "separator", "decimal", "encoding", "header")
    values = {f"--{name.replace('_', '-')}": getattr(options, name, None) for name in names}
    return values if values["--one-hot"] != [] else values | {"--one-hot": True}


def separator(text: str) -> str:
    """Return the character that a word such as `tab` stands for."""
    return SEPARATOR_WORDS.get(text.lower(), text)
