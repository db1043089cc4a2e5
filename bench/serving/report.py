"""Put tables into a document, between marker comments, and draw its plot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench.serving.plot import draw
from bench.serving.summary import Summary
from bench.serving.tables import tables

DOCUMENT, PLOT = "benchmarks.md", "images/serving.png"
PLACE = re.compile(r"<!-- bench:([a-z0-9-]+) -->\n.*?<!-- /bench -->", re.DOTALL)


def write_report(summary: Summary, docs: Path) -> None:
    """Rewrite `benchmarks.md` in a folder with documents, and `images/serving.png`."""
    document = docs / DOCUMENT
    document.write_text(filled(document.read_text(encoding="utf-8"), tables(summary)), encoding="utf-8")
    plot = docs / PLOT
    plot.parent.mkdir(exist_ok=True)
    draw(summary, plot)


def filled(text: str, blocks: Mapping[str, str]) -> str:
    """
    The text with every place `<!-- bench:NAME -->` to `<!-- /bench -->` holding the block of that name.

    A place whose block was not measured this time stays as it is.
    """

    def block(found: re.Match[str]) -> str:
        name = found.group(1)
        return f"<!-- bench:{name} -->\n{blocks[name]}\n<!-- /bench -->" if name in blocks else found.group(0)

    return PLACE.sub(block, text)
