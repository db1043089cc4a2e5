"""The options that both tables share, and the data sets that they choose."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from bench.defaults.sets import SETS, Array, DataSet, Missing


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a table, with the options that every table has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    data_dir = os.environ.get("HOURGLASS_DATA_DIR")
    parser.add_argument("--data-dir", type=Path, default=Path(data_dir) if data_dir else None)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="sets whose name contains a word")
    parser.add_argument("options", nargs="*", metavar="OPTION", help="options of every training, after --")
    return parser


def begin_table(*columns: str) -> None:
    """Print the head of a Markdown table, the names of numbers to the right; trainings log nothing."""
    logging.disable(logging.INFO)
    print(f"| {' | '.join(column.removesuffix(':') for column in columns)} | |")
    print("|" + "".join("--:|" if column.endswith(":") else "---|" for column in columns) + "---|", flush=True)


def chosen_sets(options: argparse.Namespace, columns: int, kind: str | None = None) -> Iterator[tuple[DataSet, Array]]:
    """Yield the chosen data sets with their samples; print a row for one that needs the data folder."""
    for data in SETS:
        if kind not in (None, data.kind) or (options.only and not any(word in data.name for word in options.only)):
            continue
        try:
            samples = data.read(options.data_dir)
        except Missing as error:
            print(f"| {data.name}{' |' * columns} {error} |", flush=True)
            continue
        yield data, samples
