"""The file system of the image, built in a folder: Python, its library, shared libraries, and the user."""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

USER_ID = 10001
FILES = {
    "etc/passwd": f"root:x:0:0:root:/root:/nologin\nhourglass:x:{USER_ID}:{USER_ID}:hourglass:/nonexistent:/nologin\n",
    "etc/group": f"root:x:0:\nhourglass:x:{USER_ID}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
"""Files that the C library reads. Without the last one it asks a name server before /etc/hosts."""


def place(path: Path, root: Path) -> None:
    """Copy a file or folder to its own path below a root, with every symbolic link on the way to it."""
    walked = Path("/")
    for number, part in enumerate(path.parts[1:], start=2):
        walked /= part
        target = root / walked.relative_to("/")
        if walked.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink():
                target.symlink_to(walked.readlink())
            rest = Path(walked.parent, walked.readlink(), *path.parts[number:])
            place(Path(os.path.normpath(rest)), root)
            return
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


def place_library(library: Path, root: Path) -> Path:
    """Copy Python's standard library, without links that lead out of it, and return the copy."""
    place(library, root)
    copy = root / library.resolve().relative_to("/")
    for path in copy.rglob("*"):
        if path.is_symlink() and path.readlink().is_absolute():
            path.unlink()
    return copy


def move(path: Path, root: Path) -> None:
    """Move a file or folder to its own path below a root."""
    target = root / path.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)


def compile_bytecode(folder: Path, root: Path) -> None:
    """
    Compile the modules of a folder below a root, for the paths that they have in the image.

    Nothing can write bytecode into the image later, and without it a start takes seconds. Python does not compare it
    with the source code, which nobody changes.
    """
    compileall.compile_dir(
        folder,
        maxlevels=20,
        stripdir=str(root),
        prependdir="/",
        quiet=2,
        workers=0,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def write_system_files(root: Path, copied: Iterable[Path]) -> None:
    """Write the files of the user and of the loader, and copy others as they are."""
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in copied:
        if path.exists():
            place(path, root)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    subprocess.run(["ldconfig", "-r", root], check=True)  # for libraries beside the loader's own folders
    shutil.rmtree(root / "var", ignore_errors=True)
