"""A new version of a model: whole, or not there at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.engine.repository import load_version
from app.errors import VersionTaken

Written = TypeVar("Written")


def write_version(models_dir: Path, name: str, write: Callable[[Path, int], Written]) -> tuple[Path, Written]:
    """
    The folder of a model's next version, and what `write` returned, which is given a folder to fill and the number.

    The folder is hidden while it is filled, then opened and checked as the server will do it, and then renamed. A
    version that exists is never touched. Raises InvalidModel, VersionTaken and what `write` raises; then nothing is
    left behind.
    """
    parent = models_dir / name
    version = next_version(parent)
    staging = parent / f".{version}-{os.getpid()}.partial"
    staging.mkdir(parents=True)
    try:
        written = write(staging, version)
        load_version(staging, name, version)
        target = parent / str(version)
        if target.exists():
            raise VersionTaken(f"{target} was written by somebody else meanwhile; try again")
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if not any(parent.iterdir()):
            parent.rmdir()
        raise
    return target, written


def next_version(parent: Path) -> int:
    """One more than the largest version that is there."""
    versions = [int(path.name) for path in parent.glob("[1-9]*") if path.name.isdecimal()]
    return max(versions, default=0) + 1
