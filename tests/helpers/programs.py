"""
Programs that tests in tests/system/ need, and the packages of Debian that have them.

`python -m tests.helpers.programs` prints the packages of those that are missing here.
"""

from __future__ import annotations

import os
import shutil
import sys

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
"""The package of each program that `@pytest.mark.needs` may name."""
OTHER_NAMES = {"chromium": ("chromium-browser", "google-chrome")}
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
"""Folders to search: Debian has servers in one that a user's own path may lack."""


def find_program(name: str) -> str | None:
    """Return a program's path, or None if it is missing."""
    paths = (shutil.which(each, path=PATH) for each in (name, *OTHER_NAMES.get(name, ())))
    return next(filter(None, paths), None)


def program(name: str) -> str:
    """Return the path of a program that is there: the test is marked with `needs`."""
    path = find_program(name)
    assert path is not None, f"mark the test: @pytest.mark.needs({name!r})"
    return path


def missing_packages() -> list[str]:
    """Return the packages of all programs that are missing, each once."""
    return sorted({package for name, package in PACKAGES.items() if find_program(name) is None})


if __name__ == "__main__":
    sys.stdout.write(" ".join(missing_packages()))
