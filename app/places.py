"""
The places of models: the level of a repository that a folder is, and models where nothing looks for them.

A volume is easily mounted one level too deep, or where the image does not expect it; then an error names both places.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

from app.files import list_folder, read_problem
from app.manifest import MANIFEST, MAX_MANIFEST_BYTES

VERSION = re.compile("[1-9][0-9]{0,8}")
"""The name of a version's folder."""
LAYOUT = f"<name>/<version>/{MANIFEST}"
SETTING = "HOURGLASS_MODELS_DIR"
MAX_ENTRIES = 100
"""Entries of a folder that a look for models considers: it may be somebody's home."""
MOUNTS = Path("/proc/self/mountinfo")
CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))
CONTAINER_VARIABLE = "KUBERNETES_SERVICE_HOST"
SYSTEM_FOLDERS = ("/proc", "/sys", "/dev")
USUAL_PLACES = ("/models", "/model", "/app/models", "/data", "/mnt/models", "/opt/models", "/srv/model", "/var/models")
"""Folders where images keep models; /mnt/models is KServe's."""

Level = Literal["repository", "model", "version"]
LEVELS: dict[Level, str] = {
    "repository": "a model repository",
    "model": "a model without its repository",
    "version": "a version of a model without its repository",
}
PERMISSION_REMEDY = "let that user read it, such as by chmod -R a+rX; with SELinux, mount it with the option z"

log = structlog.get_logger(__name__)


class Misplaced(NamedTuple):
    """Models that are not served, because of the place where they are."""

    path: Path
    level: Level
    remedy: str


def level_of(folder: Path) -> Level | None:
    """Return the level of a repository that a folder is, or None if it is not a part of one or cannot be read."""
    if _is_version(folder):
        return "version"
    children = _entries(folder)
    if any(VERSION.fullmatch(child.name) and _is_version(child) for child in children):
        return "model"
    grandchildren = (inner for child in children for inner in _entries(child))
    if any(VERSION.fullmatch(inner.name) and _is_version(inner) for inner in grandchildren):
        return "repository"
    return None


def absence(root: Path, reasons: Sequence[str] = ()) -> str:
    """
    Return a sentence for a repository without a valid version: what it is instead, and what to change.

    `reasons` has a phrase for each version that is not valid.
    """
    place = root.resolve()
    beginning, remedy = f"no valid model in {place}", f"set {SETTING} to a folder that holds {LAYOUT}"
    try:
        entries = list_folder(place)
        for path in entries:
            if path.is_dir():
                list_folder(path)
    except FileNotFoundError:
        return f"{beginning}, which does not exist: {_elsewhere(place) or remedy}"
    except PermissionError as error:
        return f"{beginning}: {error.filename or place} {read_problem(error)}; {PERMISSION_REMEDY}"
    except OSError as error:
        return f"{beginning}, which {read_problem(error)}: {remedy}"
    if reasons:
        more = f"; {len(reasons) - 1} more are in the log" if len(reasons) > 1 else ""
        return f"{beginning}: {reasons[0]}{more}"
    if not entries:
        return f"{beginning}, which is empty: {_elsewhere(place) or remedy}"
    return f"{beginning}{_level_remedy(place) or f': {_elsewhere(place) or remedy}'}"


def _elsewhere(place: Path) -> str:
    """Return a sentence about models in other volumes, or nothing."""
    return "; ".join(f"{LEVELS[item.level]} is at {item.path}: {item.remedy}" for item in outside(place)[:1])


def _level_remedy(place: Path) -> str:
    """Return the rest of a sentence about a folder that is part of a repository, or holds a whole one; else nothing."""
    level = level_of(place)
    if level in ("model", "version"):
        target = _target(place, Path(), level)
        if place.parts[-len(target.parts) :] == target.parts:
            return f", which is {LEVELS[level]}: set {SETTING}={place.parents[len(target.parts) - 1]}"
        return f", which is {LEVELS[level]}: mount it at {place / target}"
    inner = next((item for item in inside(place) if item.level != "model"), None)
    return f": {LEVELS[inner.level]} is at {inner.path}: {inner.remedy}" if inner else ""


def inside(root: Path) -> Iterator[Misplaced]:
    """Yield the models that lie too high or too deep in a repository."""
    for child in _entries(root):
        level = level_of(child)
        if level == "version":
            yield Misplaced(child, level, f"move it to {child / '<version>'}")
        elif level == "repository":
            yield Misplaced(child, level, f"mount it at {root}, or set {SETTING}={child}")


def outside(root: Path) -> list[Misplaced]:
    """Return the models in the volumes of this container that are not part of a repository; elsewhere, none."""
    if not in_container():
        return []
    try:
        mounted = mount_points(MOUNTS.read_text())
    except OSError:
        mounted = []
    return misplaced([*mounted, *map(Path, USUAL_PLACES)], root)


def misplaced(places: list[Path], root: Path) -> list[Misplaced]:
    """Return the models in places, or in their folder `models`, that are not part of a repository."""
    served = root.resolve()
    found: dict[Path, Misplaced] = {}
    for place in (folder for path in places for folder in (path, path / "models")):
        resolved = place.resolve()
        if resolved.is_relative_to(served) or resolved in found:
            continue
        level = level_of(resolved)
        if level == "repository":
            found[resolved] = Misplaced(place, level, f"mount it at {served}, or set {SETTING}={place}")
        elif level is not None:
            found[resolved] = Misplaced(place, level, f"mount it at {_target(resolved, served, level)}")
    return list(found.values())


def in_container() -> bool:
    """Return True if this process runs in a container of Docker, Podman or Kubernetes."""
    return CONTAINER_VARIABLE in os.environ or any(path.exists() for path in CONTAINER_FILES)


def mount_points(text: str) -> list[Path]:
    """
    Return the mount points in a file such as /proc/self/mountinfo, without those of the system.

    Source: Linux, proc_pid_mountinfo(5): the fifth field, with blanks as octal numbers
    """
    points = []
    for line in text.splitlines():
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split(" ")[4])
        if point != "/" and not any(Path(point).is_relative_to(folder) for folder in SYSTEM_FOLDERS):
            points.append(Path(point))
    return points


def warn_of_misplaced_models(root: Path) -> None:
    """Log one line for each place with models that are not served."""
    for item in [*inside(root), *outside(root)]:
        log.warning(
            f"{LEVELS[item.level]} is at {item.path}, where it is not served",
            path=str(item.path),
            served=str(root),
            remedy=item.remedy,
        )


def _target(folder: Path, root: Path, level: Level) -> Path:
    """Return the place in a repository where a model or one of its versions belongs."""
    version = folder if level == "version" else next(path for path in _entries(folder) if _is_version(path))
    try:
        with (version / MANIFEST).open("rb") as file:
            manifest = json.loads(file.read(MAX_MANIFEST_BYTES))
        name, number = str(manifest["name"]), str(manifest["version"])
    except (OSError, ValueError, LookupError, TypeError):
        name, number = "<name>", "<version>"
    return root / name / number if level == "version" else root / name


def _is_version(folder: Path) -> bool:
    try:
        return (folder / MANIFEST).is_file()
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    """Return the first entries of a folder, or none if it cannot be read."""
    try:
        return list_folder(folder)[:MAX_ENTRIES]
    except OSError:
        return []
