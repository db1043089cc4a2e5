"""
Programs that tests in tests/system/ need, and the packages that have them.

`python -m tests.helpers.programs` prints the packages of Debian whose programs are missing here.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

PACKAGES = {
    "chromium": "chromium",
    "curl": "curl",
    "java": "default-jdk-headless",
    "javac": "default-jdk-headless",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "prometheus": "prometheus",
    "promtool": "prometheus",
}
"""Debian's package of each program that `@pytest.mark.needs` may name."""
OTHER_NAMES = {"chromium": ("chromium-browser", "google-chrome")}
TOOLS = Path(__file__).parents[2] / ".system"
"""The folder into which tests/system/install.sh puts what Debian does not have."""
SCHEMAS = TOOLS / "schemas"
"""The schemas of Kubernetes and of those who extend it, as packages of Python."""
PYTHONS = {name: TOOLS / "clients" / name / "bin" / "python" for name in ("kserve", "mlserver")}
"""Pythons that have a package, each in an environment of its own."""
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", str(TOOLS / "bin")])
"""Folders to search: Debian has servers in one that a user's own path may lack."""


def find_program(name: str) -> str | None:
    """Return the path of a program or of the schemas, or None if it is missing."""
    if name == "schemas":
        return str(SCHEMAS) if SCHEMAS.exists() else None
    if name in PYTHONS:
        return str(PYTHONS[name]) if PYTHONS[name].exists() else None
    paths = (shutil.which(each, path=PATH) for each in (name, *OTHER_NAMES.get(name, ())))
    return next(filter(None, paths), None)


def program(name: str) -> str:
    """Return the path of a program that is there: the test is marked with `needs`."""
    path = find_program(name)
    assert path is not None, f"mark the test: @pytest.mark.needs({name!r})"
    return path


def remedy(name: str) -> str:
    """Return the way to get a program."""
    return f"install Debian's package {PACKAGES[name]}" if name in PACKAGES else "run tests/system/install.sh"


def missing_packages() -> list[str]:
    """Return the packages of all programs that are missing, each once."""
    return sorted({package for name, package in PACKAGES.items() if find_program(name) is None})


if __name__ == "__main__":
    sys.stdout.write(" ".join(missing_packages()))
