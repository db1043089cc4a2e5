"""Tables, the document that holds them, and the plot."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bench.serving.report import fill, format_number, markdown, tables, write_report
from bench.serving.results import Results
from bench.serving.summary import Summary

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (99.96, "100"), (123.4, "123"), (6776.2, "6 776")],
)
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


def test_columns_after_the_first_are_aligned_as_numbers() -> None:
    assert markdown(["a", "b"], [["x", "1"], ["y", "2"]]) == "| a | b |\n| --- | --: |\n| x | 1 |\n| y | 2 |"


def test_tables_show_the_medians(results: Results) -> None:
    blocks = tables(Summary(results))
    assert "| hourglass | 300 (2) | — | 300 | — | — |" in blocks["rates-dense"]
    assert "| floor | 50 | — | — | — | — |" in blocks["cpu-dense"]
    assert "| `json-1`, 16, floor | 200 | 100 to 400 | 50 | 2 / 9 |" in blocks["all-dense"]
    assert "| hourglass, dense | 1 | 0 | 80 | 150 | 1 |" in blocks["needs"]
    assert "| dense: `json-1`, ratio to floor, 16 connections | ≥ 1.5 | 2 | 2 | yes |" in blocks["targets"]
    assert "| dense: `json-1`, hourglass, CPU of floor's | ≤ 0.52 | 0.5 | — | yes |" in blocks["targets"]
    assert "| gRPC | 1 | 0.20 |" in blocks["wires"]
    assert "| bundled: start to first correct answer | ≤ 0.6 s | — | — | not measured |" in blocks["targets"]
    assert blocks["machine"].startswith("a chip, 2 cores, Linux 6, 2026-01-02")


def test_blocks_of_a_document_are_filled_and_the_rest_is_kept() -> None:
    text = "A\n<!-- bench:one -->\nold\n<!-- /bench -->\nB\n<!-- bench:two -->\nkept\n<!-- /bench -->\n"
    changed = fill(text, {"one": "new", "three": "unused"})
    assert changed == text.replace("old", "new")
    assert fill(changed, {"one": "new"}) == changed
    assert fill("<!-- bench:one -->\n<!-- /bench -->", {"one": "x"}) == "<!-- bench:one -->\nx\n<!-- /bench -->"


def test_a_report_is_a_document_and_a_plot(results: Results, tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_text((ROOT / "docs" / "benchmarks.md").read_text())
    write_report(Summary(results), tmp_path)
    assert "| hourglass | 300 (2) |" in (tmp_path / "benchmarks.md").read_text()
    picture = tmp_path / "images" / "serving.png"
    assert picture.stat().st_size < 80_000
    with Image.open(picture) as image:
        assert image.width > 300


def test_every_block_of_the_document_has_a_table(results: Results) -> None:
    names = set(tables(Summary(results)))
    names |= {name.replace("dense", "conv") for name in names}
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    blocks = [line.split("bench:")[1].split(" ")[0] for line in text.splitlines() if line.startswith("<!-- bench:")]
    assert blocks
    assert set(blocks) <= names
