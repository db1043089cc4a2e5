"""
Generators of clients and linters of the document, which tests/system/clients/install.sh installs.

A test works in a folder of its own, with copies of the programs that use what is generated there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "system" / "clients"
INSTALLED = ROOT / ".system" / "clients"
PATHS = [INSTALLED / "venv" / "bin", INSTALLED / "node_modules" / ".bin"]
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
"""Variables that keep the tools from asking their makers' hosts."""


def require_clients() -> None:
    """Fail a test, or skip it, if the generators are not installed."""
    if (INSTALLED / "installed").exists():
        return
    missing = "the generators of clients are missing: run tests/system/clients/install.sh"
    if os.environ.get("ALLOW_MISSING"):
        pytest.skip(missing)
    pytest.fail(missing, pytrace=False)


def furnish(folder: Path, document: str, *programs: str) -> None:
    """Write the document and copies of the programs into a folder where Node.js finds the installed packages."""
    require_clients()
    (folder / "openapi.json").write_text(document)
    (folder / "node_modules").symlink_to(INSTALLED / "node_modules")
    for name in programs:
        shutil.copy(PROGRAMS / name, folder)


def run_tools(commands: str, folder: Path, **variables: str) -> str:
    """Run shell commands in a folder, the generators first on the path, and return their output. They must succeed."""
    path = os.pathsep.join([*map(str, PATHS), os.environ["PATH"]])
    ended = subprocess.run(
        ["bash", "-ec", commands],
        cwd=folder,
        env={**os.environ, **QUIET, "PATH": path, **variables},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
