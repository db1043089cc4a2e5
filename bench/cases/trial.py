"""
A process of its own that tries cases with one checkout and prints a line of JSON for each.

`app` and `training` come from the checkout, `bench` from here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import bench.cases
from bench.cases.case import Case

ROOT = Path(__file__).parents[2]
LOADER = """
import sys, types
bench = types.ModuleType("bench")
bench.__path__ = [sys.argv[1]]
sys.modules["bench"] = bench
from bench.cases.trial import try_and_print
try_and_print(sys.argv[2:])
"""
"""The program of the process: it finds `bench` here, although the checkout has one, too."""


def subjects() -> list[str]:
    """Return the names of the modules that have cases."""
    names = [module.name for module in iter_modules(bench.cases.__path__) if not module.name.startswith("_")]
    return [name for name in names if hasattr(import_module(f"bench.cases.{name}"), "CASES")]


def cases_of(subject: str) -> list[Case]:
    """Return the cases of a module."""
    return [Case(*case) for case in import_module(f"bench.cases.{subject}").CASES]


def selected(words: Sequence[str]) -> list[tuple[str, Case]]:
    """Return subject and case of all cases, or of those whose subject or id is among the words."""
    cases = [(subject, case) for subject in subjects() for case in cases_of(subject)]
    return [(subject, case) for subject, case in cases if not words or subject in words or case.id in words]


def outcomes(checkout: Path, words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Try the selected cases with a checkout, and yield subject, id and outcome of each as soon as it has ended."""
    command = [sys.executable, "-c", LOADER, str(ROOT / "bench"), *words]
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve())}
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):  # libraries print, too
                event = json.loads(line)
                yield event["subject"], event["id"], event["outcome"]


def try_and_print(words: Sequence[str]) -> None:
    """Try the selected cases in this process, each in a folder of its own, and print the outcomes."""
    for subject, case in selected(words):
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome = case.run(Path(folder))
            except Exception as error:  # the outcome of an older checkout, or of a mistake
                outcome = f"{type(error).__name__}: {error}"
        print(json.dumps({"subject": subject, "id": case.id, "outcome": outcome}), flush=True)
