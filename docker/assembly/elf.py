"""Compiled files, and the shared libraries that they need."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

MAGIC = b"\x7fELF"


class MissingLibrary(Exception):
    """A compiled file needs a shared library that this system does not have."""


def is_elf(path: Path) -> bool:
    """Return True if a path is a regular file with compiled code."""
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def elf_files(folder: Path) -> Iterator[Path]:
    """Yield the compiled files below a folder."""
    return (path for path in sorted(folder.rglob("*")) if is_elf(path))


def needed_libraries(files: Iterable[Path]) -> set[Path]:
    """Return the paths of the shared libraries that files load, through others too. Raises MissingLibrary."""
    paths = [str(file) for file in files]
    if not paths:
        return set()
    ended = subprocess.run(["ldd", *paths], capture_output=True, text=True, check=False)
    if missing := re.findall(r"^\s*(\S+) => not found", ended.stdout, re.MULTILINE):
        raise MissingLibrary(f"no shared library {', '.join(sorted(set(missing)))}")
    return {
        Path(os.path.normpath(path)) for path in re.findall(r"^\s*(?:\S+ => )?(/\S+) \(0x", ended.stdout, re.MULTILINE)
    }


def remove_unloadable(folder: Path) -> None:
    """Remove the compiled modules below a folder that this system cannot load, such as one of Tk without Tk."""
    for path in elf_files(folder):
        try:
            needed_libraries([path])
        except MissingLibrary:
            path.unlink()
