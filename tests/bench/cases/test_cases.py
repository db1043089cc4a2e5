"""The table of cases names what is wrong, and each checkout is tried with its own code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

import bench.cases
from bench.cases.__main__ import main, shown
from bench.cases.case import Case
from bench.cases.trial import cases_of, outcomes, selected, subjects

SUBJECT = """
from bench.cases.case import Case

def version(scratch):
    import app
    return f"{app.VERSION} in {len(list(scratch.iterdir()))} files"

def broken(scratch):
    raise ValueError("two\\nlines | one")

CASES = [Case("0.1", "the version", version, "^new in 0"), ("0.2", "broken", broken, "^nothing")]
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a package of cases of one subject, and two checkouts, `old` and `new`."""
    cases = tmp_path / "new" / "bench" / "cases"
    cases.mkdir(parents=True)
    for path in Path(bench.cases.__path__[0]).glob("*.py"):
        if path.stem in ("__init__", "__main__", "case", "programs", "trial"):
            (cases / path.name).write_text(path.read_text())
    (cases / "versions.py").write_text(SUBJECT)
    for name in ("old", "new"):
        (tmp_path / name / "app").mkdir(parents=True)
        (tmp_path / name / "app" / "__init__.py").write_text(f'VERSION = "{name}"\n')
    monkeypatch.setattr(bench.cases, "__path__", [str(cases)])
    monkeypatch.setattr("bench.cases.trial.ROOT", tmp_path / "new")
    monkeypatch.setattr("bench.cases.__main__.ROOT", tmp_path / "new")
    monkeypatch.delitem(sys.modules, "bench.cases.versions", raising=False)
    return tmp_path


def test_cases_run_with_the_code_of_their_checkout(room: Path) -> None:
    assert list(outcomes(room / "old", ["0.1"])) == [("versions", "0.1", "old in 0 files")]
    assert list(outcomes(room / "new", ["0.1"])) == [("versions", "0.1", "new in 0 files")]


def test_the_table_compares_before_and_after(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--before", str(room / "old")]) == 1
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows[0] == "| versions 0.1 | the version | old in 0 files | wrong | new in 0 | right |"
    assert rows[1].endswith(r"| ValueError: two lines \| one | wrong |")
    assert rows[-1] == "1 of 2 are right; before, 0"


def test_the_page_gets_the_table_of_each_subject_that_was_tried(room: Path) -> None:
    page = room / "cases.md"
    page.write_text(
        "# Cases\n<!-- bench:cases-versions -->\nold\n<!-- /bench -->\n"
        "<!-- bench:cases-others -->\nkept\n<!-- /bench -->\n"
    )
    assert main(["versions", "--before", str(room / "old"), "--page", str(page)]) == 1
    lines = page.read_text().splitlines()
    assert lines[4] == "| 0.1 | the version | old in 0 files | wrong | new in 0 | right |"
    assert "1 of 2 are right; before, 0" in lines
    assert "kept" in lines
    assert "old" not in lines


def test_cases_are_selected_by_subject_and_by_id(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert subjects() == ["versions"]
    assert [case.id for _, case in selected(["versions"])] == ["0.1", "0.2"]
    assert main(["0.1"]) == 0
    assert "1 of 1 are right" in capsys.readouterr().out


def test_an_outcome_is_right_if_it_holds_the_expression() -> None:
    case = Case("1", "", str, "exit 0.*duplicates 0")
    assert case.is_right("Exit 0: rows 3\nduplicates 0 rows")
    assert not case.is_right("exit 1: duplicates 0 rows")
    assert case.evidence("exit 0: duplicates 0 rows") == "exit 0: duplicates 0"
    assert case.evidence("exit 1: duplicates 0 rows") == "exit 1: duplicates 0 rows"


def test_long_outcomes_are_shown_by_their_end() -> None:
    assert shown("a" * 300 + "end") == "…" + "a" * 157 + "end"
    assert shown("a" * 300, full=True) == "a" * 300


def test_bytes_that_are_not_text_are_not_shown() -> None:
    assert shown("got \0\x1b[0m | and\nmore") == r"got [0m \| and more"


def test_each_case_has_an_id_of_its_own() -> None:
    for subject in subjects():
        ids = [case.id for case in cases_of(subject)]
        assert len(set(ids)) == len(ids), subject
        assert isinstance(sys.modules[f"bench.cases.{subject}"], ModuleType)
