"""Facts about Python source files, for the tests of the code's style."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef

CROOKED_BEGINNING = re.compile(r"(What|Whether|Which|How|Where|Of|The same)\b")
"""The beginning of a docstring that is a fragment and not a sentence."""
CROOKED_TEST_NAME = re.compile(r"test_(what|whether|which|how|where|of)_")
PUBLIC_UNDERSCORES = {"_asdict", "_replace", "_fields", "_make"}
"""Public names of named tuples, in spite of their underscore."""
PATCHING_CALLS = {"setattr", "getattr", "delattr", "hasattr", "setitem", "delitem", "object", "patch"}
"""Functions whose string arguments name attributes."""


def python_files(*folders: str) -> list[Path]:
    """Return every Python file in folders of the repository."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


def functions(tree: ast.AST) -> list[Function]:
    """Return every function, method and inner function."""
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def line_count(function: Function) -> int:
    """Return the lines of a function from `def` to its end."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the docstrings of modules, classes, functions, fields and constants: strings that are statements."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value


def has_logic(tree: ast.Module) -> bool:
    """Return True if a module defines a function, or a class with methods."""
    return bool(functions(tree))


def place_of_tests(path: Path) -> Path:
    """Return the place of a module's tests: app/x/y.py has tests/app/x/test_y.py."""
    relative = path.relative_to(ROOT)
    return ROOT / "tests" / relative.with_name(f"test_{relative.name}")


def imported_names(tree: ast.AST) -> list[str]:
    """Return the full name of everything that a module imports."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def imported_test_files(tree: ast.AST) -> list[str]:
    """Return the test files that a module imports, or imports from."""
    return [name for name in imported_names(tree) if re.search(r"\btests\.(\w+\.)*test_\w+", name)]


def is_private(name: str) -> bool:
    """Return True if a name begins with exactly one underscore, and is not public anyway."""
    return bool(re.match(r"_[A-Za-z]", name)) and name not in PUBLIC_UNDERSCORES


def private_uses(tree: ast.Module) -> list[tuple[int, str]]:
    """
    Return the line and the name of each private name of other code that a test imports, reads or patches.

    A class's own private attributes are its business: `self._x` is allowed if the class itself sets or defines `_x`.
    """
    own = _own_attributes(tree)
    uses: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in ("app", "training"):
            uses += [(node.lineno, alias.name) for alias in node.names if is_private(alias.name)]
        elif isinstance(node, ast.Attribute) and is_private(node.attr) and id(node) not in own:
            uses.append((node.lineno, node.attr))
        elif isinstance(node, ast.Call) and _called_name(node) in PATCHING_CALLS:
            uses += [(node.lineno, text) for text in _strings(node) if is_private(text.rpartition(".")[2])]
    return uses


def private_definitions(tree: ast.Module) -> set[str]:
    """Return the private names that a module defines: functions, classes, variables and attributes."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, Function | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {name for name in names if is_private(name)}


def _own_attributes(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes `self._x` and `cls._x` in classes that set or define `_x` themselves."""
    own: set[int] = set()
    for scope in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        through_self = [
            node
            for node in ast.walk(scope)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ]
        defined = {node.attr for node in through_self if isinstance(node.ctx, ast.Store)}
        defined |= {node.name for node in scope.body if isinstance(node, Function)}
        own |= {id(node) for node in through_self if node.attr in defined}
    return own


def _called_name(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _strings(call: ast.Call) -> list[str]:
    """Return the dotted name, or else the attribute, that a call names: its first or its second argument."""
    first = [node.value for node in call.args[:2] if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return first[:1]
