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


def table_overrides(options: argparse.Namespace) -> dict[str, Any]:
    """Return the members of the configuration's data section that the command line names."""
    names = ("columns", "drop", "missing", "separator", "decimal", "encoding", "header")
    given = {name: getattr(options, name) for name in names if getattr(options, name, None) is not None}
    columns = getattr(options, "one_hot", None)
    return given if columns is None else given | {"one_hot": columns or True}


def separator(text: str) -> str:
    """Return the character that a word such as `tab` stands for."""
    return SEPARATOR_WORDS.get(text.lower(), text)
