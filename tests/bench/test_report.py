"""Tables, the document they stand in, the plot."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bench.serving.report import filled, write_report
from bench.serving.results import Results
from bench.serving.summary import Summary
from bench.serving.tables import markdown, number, tables

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "—"), (0, "0"), (0.01234, "0.0123"), (1.5, "1.5"), (99.96, "100"), (123.4, "123"), (6776.2, "6 776")],
)
def test_numbers_have_three_digits(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_the_first_column_is_text_and_the_others_are_numbers() -> None:
    assert markdown(["a", "b"], [["x", "1"], ["y", "2"]]) == "| a | b |\n| --- | --: |\n| x | 1 |\n| y | 2 |"


def test_tables_hold_the_medians(results: Results) -> None:
    drawn = tables(Summary(results))
    assert "| hourglass | 300 (2) | — | 300 | — | — |" in drawn["rates-dense"]
    assert "| floor | 50 | — | — | — | — |" in drawn["cpu-dense"]
    assert "| `json-1`, 16, floor | 200 | 100 to 400 | 50 | 2 / 9 |" in drawn["all-dense"]
    assert "| hourglass, dense | 1 | 0 | 80 | 150 | 1 |" in drawn["needs"]
    assert "| dense: `json-1`, of the floor, 16 connections | ≥ 1.5 | 2 | 2 | yes |" in drawn["targets"]
    assert "| bundled: start to first right answer | ≤ 1.2 s | — | — | not measured |" in drawn["targets"]
    assert drawn["machine"].startswith("a chip, 2 cores, Linux 6, 2026-01-02")


def test_places_in_a_document_are_filled_and_the_rest_stays() -> None:
    text = "A\n<!-- bench:one -->\nold\n<!-- /bench -->\nB\n<!-- bench:two -->\nkept\n<!-- /bench -->\n"
    changed = filled(text, {"one": "new", "three": "unused"})
    assert changed == text.replace("old", "new")
    assert filled(changed, {"one": "new"}) == changed
    assert filled("<!-- bench:one -->\n<!-- /bench -->", {"one": "x"}) == "<!-- bench:one -->\nx\n<!-- /bench -->"


def test_the_report_writes_document_and_plot(results: Results, tmp_path: Path) -> None:
    (tmp_path / "benchmarks.md").write_text((ROOT / "docs" / "benchmarks.md").read_text())
    write_report(Summary(results), tmp_path)
    assert "| hourglass | 300 (2) |" in (tmp_path / "benchmarks.md").read_text()
    picture = tmp_path / "images" / "serving.png"
    assert picture.stat().st_size < 80_000
    with Image.open(picture) as image:
        assert image.width > 300


def test_every_place_in_the_document_has_a_table(results: Results) -> None:
    names = set(tables(Summary(results)))
    names |= {name.replace("dense", "conv") for name in names}
    text = (ROOT / "docs" / "benchmarks.md").read_text()
    places = [line.split("bench:")[1].split(" ")[0] for line in text.splitlines() if line.startswith("<!-- bench:")]
    assert places
    assert set(places) <= names
