"""The rules of the code's style that a program can check; docs and reviews have the others."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tests.helpers.source import (
    CROOKED_BEGINNING,
    CROOKED_TEST_NAME,
    ROOT,
    docstrings,
    functions,
    has_logic,
    imported_names,
    imported_test_files,
    line_count,
    parse,
    place_of_tests,
    private_definitions,
    private_uses,
    python_files,
)

MAX_MODULE_LINES = 250
MAX_FUNCTION_LINES = 40
CODE = python_files("app", "training")
TESTS = python_files("tests")
STARTERS = ("tests.helpers.browser.", "tests.helpers.nginx.", "tests.helpers.programs.")
"""Names that a test imports to start a program that `make test` must do without."""


def at(path: Path, line: int | None = None) -> str:
    """Return a place as editors open it."""
    name = str(path.relative_to(ROOT))
    return name if line is None else f"{name}:{line}"


def test_no_module_is_long() -> None:
    counts = {at(path): len(path.read_text().splitlines()) for path in CODE}
    assert {name: count for name, count in counts.items() if count > MAX_MODULE_LINES} == {}


def test_no_function_is_long() -> None:
    long = [
        f"{at(path, function.lineno)} {function.name}: {line_count(function)} lines"
        for path in CODE
        for function in functions(parse(path))
        if line_count(function) > MAX_FUNCTION_LINES
    ]
    assert long == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_no_link_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "--stage"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split("\t")[1] for line in listed.splitlines() if line.startswith("120000")] == []


def test_packages_have_no_logic() -> None:
    packages = [path for path in CODE if path.name == "__init__.py"]
    assert [at(path) for path in packages if has_logic(parse(path))] == []


def test_no_docstring_begins_with_a_question_word() -> None:
    crooked = [
        f"{at(path, docstring.lineno)} {str(docstring.value).strip()[:60]!r}"
        for path in python_files("app", "training", "bench", "tests")
        for docstring in docstrings(parse(path))
        if CROOKED_BEGINNING.match(str(docstring.value).strip())
    ]
    assert crooked == []


def test_the_name_of_a_test_is_a_claim() -> None:
    crooked = [
        f"{at(path, function.lineno)} {function.name}"
        for path in TESTS
        for function in functions(parse(path))
        if CROOKED_TEST_NAME.match(function.name)
    ]
    assert crooked == []


def test_every_module_with_logic_has_a_test_file_of_its_name() -> None:
    modules = [path for path in CODE if not path.name.startswith("__") and has_logic(parse(path))]
    assert [at(place_of_tests(path)) for path in modules if not place_of_tests(path).exists()] == []


def test_no_test_file_imports_another_test_file() -> None:
    imports = {at(path): imported_test_files(parse(path)) for path in TESTS}
    assert {name: files for name, files in imports.items() if files} == {}


def test_only_tests_in_the_folder_system_need_other_programs() -> None:
    others = [path for path in TESTS if path.parent.name not in ("system", "helpers")]
    needy = [path for path in others if any(name.startswith(STARTERS) for name in imported_names(parse(path)))]
    assert [at(path) for path in needy] == []


def test_no_test_uses_a_private_name() -> None:
    ours = {name for path in CODE for name in private_definitions(parse(path))}
    uses = [
        f"{at(path, line)} {name}"
        for path in TESTS
        for line, name in private_uses(parse(path))
        if name.rpartition(".")[2] in ours
    ]
    assert uses == []


LONG = "def long():\n" + "    pass\n" * MAX_FUNCTION_LINES


def test_lines_are_counted_from_def_to_the_end() -> None:
    tree = ast.parse(f"@decorator\n{LONG}\nclass C:\n    async def short(self):\n        return 1\n")
    assert {function.name: line_count(function) for function in functions(tree)} == {"long": 41, "short": 2}


def test_docstrings_of_fields_are_found_too() -> None:
    source = '"""One."""\nX = 1\n"""Two."""\nclass C:\n    """Three."""\n    x: int\n    """Four."""\ny = "five"\n'
    assert [docstring.value for docstring in docstrings(ast.parse(source))] == ["One.", "Two.", "Three.", "Four."]


@pytest.mark.parametrize(
    ("docstring", "crooked"),
    [
        ("What it is.", True),
        ("The same rows.", True),
        ("Of a batch, the rows.", True),
        ("Whatever was raised.", False),
        ("Offer a value.", False),
        ("The sample.", False),
    ],
)
def test_only_whole_words_are_crooked(docstring: str, crooked: bool) -> None:
    assert bool(CROOKED_BEGINNING.match(docstring)) == crooked


@pytest.mark.parametrize(
    ("source", "logic"),
    [
        ("def f(): ...", True),
        ("class C:\n    def f(self): ...", True),
        ("class C:\n    x: int = 1", False),
        ("X = 1", False),
    ],
)
def test_functions_and_methods_are_logic(source: str, logic: bool) -> None:
    assert has_logic(ast.parse(source)) == logic


def test_the_place_of_tests_mirrors_the_module() -> None:
    assert place_of_tests(ROOT / "app/engine/queue.py") == ROOT / "tests/app/engine/test_queue.py"
    assert place_of_tests(ROOT / "training/cli.py") == ROOT / "tests/training/test_cli.py"


@pytest.mark.parametrize(
    ("source", "files"),
    [
        ("from tests.app.test_x import y", ["tests.app.test_x.y"]),
        ("from tests.app import test_x", ["tests.app.test_x"]),
        ("import tests.test_x", ["tests.test_x"]),
        ("from tests.helpers.test_data import y", ["tests.helpers.test_data.y"]),
        ("from tests.helpers import tiny", []),
        ("from app.x import test_y", []),
    ],
)
def test_imports_of_test_files_are_found(source: str, files: list[str]) -> None:
    assert imported_test_files(ast.parse(source)) == files


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("model._decoder", ["_decoder"]),
        ("from app.x import _y", ["_y"]),
        ("monkeypatch.setattr(model, '_decoder', 1)", ["_decoder"]),
        ("monkeypatch.setattr('app.x._known', 1)", ["app.x._known"]),
        ("getattr(model, '_decoder')", ["_decoder"]),
        ("class C(Model):\n    def f(self):\n        return self._inherited", ["_inherited"]),
        ("class C:\n    def __init__(self):\n        self._own = 1\n        self._own.x", []),
        ("class C:\n    def f(self):\n        return self._g()\n    def _g(self): ...", []),
        ("row._asdict()", []),
        ("model.__dict__", []),
        ("monkeypatch.setattr('app.x.known', '_value')", []),
        ("from numpy.typing import _private", []),
    ],
)
def test_uses_of_private_names_are_found(source: str, names: list[str]) -> None:
    assert [name for _, name in private_uses(ast.parse(source))] == names


def test_private_definitions_are_found() -> None:
    source = (
        "_A = 1\nB = 2\nclass C:\n    _d: int = 3\n    def _e(self):\n        self._f = self._unset\ndef _g(_h): ...\n"
    )
    assert private_definitions(ast.parse(source)) == {"_A", "_d", "_e", "_f", "_g"}
