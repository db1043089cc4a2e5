"""The table of faults: its rows, the rows of another program, and a fault that cannot be caused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults import __main__ as command
from bench.faults.checks import parse, rows_of_checks
from bench.faults.row import Row
from bench.faults.server import Bench

TRAFFIC = "def mixture(host):\n    return [(200, b'GET /readyz HTTP/1.1'), (200, b'GET /livez HTTP/1.1')]\n"
CHECKS = (
    "import sys, traffic\ndef main():\n    print('| injected | the most trusted servers | seen | verdict |')\n"
    "    print(f\"| x | none lost | {len(traffic.mixture('a'))} of {sys.argv[-1]} | PASS |\")\n"
    "    print('| y | z | 3 lost | FAIL |')\n"
)


def test_a_row_is_one_line_with_four_cells() -> None:
    row = Row("a | b", "c", "d\ne", is_expected=False)
    assert row.markdown() == "| a / b | c | d e | **NOT AS EXPECTED** |\n"
    assert parse(Row("a", "b", "c", is_expected=True).markdown().replace("as expected", "PASS")) == Row(
        "a", "b", "c", True
    )


def test_a_fault_that_the_other_program_could_not_cause_is_a_row() -> None:
    assert parse("| machine | | the test itself failed: OSError | ? |") == Row(
        "machine", "", "the test itself failed: OSError", is_expected=False
    )


@pytest.mark.parametrize("line", ["", "|---|---|---|---|", "| injected | x | y | verdict |", "exit 0"])
def test_other_lines_are_not_rows(line: str) -> None:
    assert parse(line) is None


def test_the_other_program_runs_without_readyz_in_its_mixture(tmp_path: Path) -> None:
    (tmp_path / "traffic.py").write_text(TRAFFIC)
    (tmp_path / "faults.py").write_text(CHECKS)
    rows = list(rows_of_checks(Bench(tmp_path), tmp_path, "word"))
    assert rows == [Row("x", "none lost", "1 of word", True), Row("y", "z", "3 lost", False)]


def test_a_verdict_that_asks_for_something_else_is_explained() -> None:
    row = parse("| every model thread runs a graph that does not end | x | /livez 200 | FAIL |")
    assert row is not None
    assert row.is_expected
    assert row.seen == "/livez 200"
    assert "| explained: It asks" in row.markdown()


def seen(bench: Bench) -> Iterator[Row]:
    """Yield a row."""
    yield Row("a fault", "nothing", "nothing", is_expected=True)


def impossible(bench: Bench) -> Iterator[Row]:
    """Fail after a row."""
    yield from seen(bench)
    raise OSError("no such machine")


@pytest.mark.parametrize(("fault", "code", "rows"), [(seen, 0, 1), (impossible, 1, 2)])
def test_the_exit_code_and_the_page_have_every_row(
    fault: object,
    code: int,
    rows: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = tmp_path / "faults.md"
    page.write_text("before\n<!-- bench:faults -->\nold\n<!-- /bench -->\n")
    monkeypatch.setattr(command, "FAULTS", {"a-word": fault, "other": impossible})
    monkeypatch.setattr(sys, "argv", ["faults", "--only", "word", "--page", str(page)])
    assert command.main() == code
    printed = capsys.readouterr().out
    assert printed.count("| a fault |") == 1
    assert len(printed.splitlines()) == rows + 2
    assert page.read_text() == f"before\n<!-- bench:faults -->\n{printed}<!-- /bench -->\n"
