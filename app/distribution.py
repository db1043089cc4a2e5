"""The distribution that this package is installed from: its name and version, its models, and its extras."""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, requires, version
from pathlib import Path

NAME = "hourglass-autoencoders"
"""Its name in a package index, where `hourglass` is another author's."""
PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent
"""The repository, if the package is used from there."""


def installed_version() -> str:
    """Return the version, such as 0.1.0."""
    return version(NAME)


def bundled_models() -> Path | None:
    """Return the repository of the models that come with the package, if there are any."""
    folder = CHECKOUT / "models" if is_checkout() else PACKAGE / "bundled"
    return folder if folder.is_dir() else None


def is_checkout() -> bool:
    """Return True if the package is used from its repository, such as after an editable installation."""
    return (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / "Makefile").is_file()


def missing_packages(extra: str) -> list[str]:
    """Return the packages of an extra that are not installed."""
    lines = [line.partition(";") for line in requires(NAME) or []]
    names = [re.split(r"[^\w.-]", line)[0] for line, _, marker in lines if re.search(rf"extra == .{extra}\b", marker)]
    return [name for name in names if not _is_installed(name)]


def install_command(extra: str) -> str:
    """Return the command that installs an extra as this distribution was installed: by make, pipx or pip."""
    if is_checkout():
        if extra == "train" and Path(sys.prefix).resolve() == (CHECKOUT / ".venv").resolve():
            return "make .venv/.train" if Path.cwd() == CHECKOUT else f"make -C {CHECKOUT} .venv/.train"
        return f"pip install --editable '{CHECKOUT}[{extra}]'"
    tool = "pipx install --force" if (Path(sys.prefix) / "pipx_metadata.json").is_file() else "pip install"
    return f"{tool} '{NAME}[{extra}]{_origin(distribution(NAME))}'"


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True


def _origin(installed: Distribution) -> str:
    """Return the address of the file or repository that was installed, for pip; nothing if it came from an index."""
    record = json.loads(installed.read_text("direct_url.json") or "{}")
    url = record.get("url", "")
    if vcs := record.get("vcs_info"):
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return f" @ {url}" if url else ""
