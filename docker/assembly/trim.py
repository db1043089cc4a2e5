"""Removal of what no run of the server needs, of debug symbols, and of shared libraries that nothing loads any more."""

from __future__ import annotations

import base64
import csv
import hashlib
import shutil
import subprocess
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path

from docker.assembly.elf import elf_files, needed_libraries
from docker.assembly.removals import Removal, matches

WHEEL_LIBRARIES = "*.libs/*.so*"
"""Shared libraries that a wheel brings along. Tools have moved their segments, so `strip` could break them."""


def trim(folder: Path, removals: tuple[Removal, ...]) -> None:
    """Remove what the removals name."""
    for path in matches(folder, removals):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_unused_libraries(packages: Path) -> None:
    """Remove the shared libraries of wheels that no compiled module loads, directly or through others."""
    libraries = set(packages.glob(WHEEL_LIBRARIES))
    for path in libraries - needed_libraries(own_modules(packages)):
        path.unlink()


def strip_symbols(files: Iterable[Path]) -> None:
    """Remove the debug symbols of compiled files: `strip` keeps what the loader needs."""
    if paths := list(files):
        subprocess.run(["strip", "--strip-unneeded", "--preserve-dates", *paths], check=True)


def own_modules(packages: Path) -> list[Path]:
    """Return the compiled files of an environment, except the shared libraries of wheels."""
    libraries = set(packages.glob(WHEEL_LIBRARIES))
    return [path for path in elf_files(packages) if path not in libraries]


def keep_programs(folder: Path, names: Iterable[str]) -> None:
    """Remove every program in a folder except some, and the links that these lead to."""
    wanted: set[Path] = set()
    for name in names:
        path = folder / name
        while path.parent == folder:
            wanted.add(path)
            if not path.is_symlink():
                break
            path = folder / path.readlink()
    for path in folder.iterdir():
        if path not in wanted:
            remove(path)


def rewrite_records(packages: Path) -> None:
    """Let the RECORD of each distribution list the files that are left, with their hashes."""
    for found in distributions(path=[str(packages)]):
        record = next(path for path in found.files or [] if path.name == "RECORD")
        rows = []
        for file in found.files or []:
            path = Path(str(file.locate()))
            if file == record:
                rows.append([str(file), "", ""])
            elif path.is_file():
                content = path.read_bytes()
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                rows.append([str(file), f"sha256={digest}", str(len(content))])
        with Path(str(record.locate())).open("w", newline="") as stream:
            csv.writer(stream, lineterminator="\n").writerows(rows)
