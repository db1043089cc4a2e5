"""The files below a folder: images, and those that are passed over, counted by reason."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from training.errors import DataError

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in "png apng jpg jpeg jpe jfif webp bmp dib gif tif tiff ppm pgm pbm pnm".split()  # noqa: SIM905
)
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")
"""Pillow's names of the formats that are read; a suffix need not be the right one."""
READABLE = "PNG, JPEG, WebP, BMP, GIF, TIFF or PGM"
"""The formats as messages name them."""
MAX_LISTED_REASONS = 12
"""Reasons for passing over files that are listed, those of most files first."""
JUNK = frozenset(["thumbs.db", "desktop.ini", "ehthumbs.db", "icon"])
JUNK_FOLDERS = frozenset({"__macosx"})


@dataclass
class Listing:
    """Every file below a folder, once: an image, or passed over for a reason."""

    folder: Path
    images: list[Path] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    """The number of files by reason: a suffix, or a name."""

    def describe(self) -> str:
        """Return the count and the reasons: `4 files: .txt 3, hidden 1`."""
        ordered = sorted(self.passed_over.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{reason} {count}" for reason, count in ordered[:MAX_LISTED_REASONS])
        if len(ordered) > MAX_LISTED_REASONS:
            rest = sum(count for _, count in ordered[MAX_LISTED_REASONS:])
            reasons += f" and {rest} for {len(ordered) - MAX_LISTED_REASONS} other reasons"
        total = self.passed_over.total()
        return f"{total} {'file' if total == 1 else 'files'}: {reasons}"


def list_files(folder: Path) -> Listing:
    """
    Return the files below a folder, with sorted images.

    Links are followed, except to a folder that has been read already. Raises DataError for a folder that cannot be
    read, or if there is no image.
    """
    listing = Listing(folder)
    entered: set[str] = set()
    waiting = [folder]
    while waiting:
        linked: list[Path] = []
        for start in waiting:
            linked += _list_tree(start, listing, entered)
        waiting = linked
    if not listing.images:
        got = f"{listing.describe()}" if listing.passed_over else "an empty folder"
        raise DataError(f"{folder}: expected {READABLE} images, got {got}")
    listing.images.sort()
    return listing


def _list_tree(start: Path, listing: Listing, entered: set[str]) -> list[Path]:
    """Add the files below a folder to the listing, and return the links to folders, which are not followed yet."""
    links = []
    for path, folders, files in os.walk(start, onerror=_refuse):
        parent = Path(path)
        if (real := os.path.realpath(path)) in entered:
            listing.passed_over["links to folders that are read already"] += 1
            folders.clear()
            continue
        entered.add(real)
        links += [parent / name for name in folders if (parent / name).is_symlink()]
        for name in files:
            _add_file(parent / name, listing)
    return links


def _add_file(path: Path, listing: Listing) -> None:
    parts = path.relative_to(listing.folder).parts
    reason = _junk(parts)
    if reason is None and not path.exists():
        reason = "broken links"
    if reason is None and not path.is_file():
        reason = "not regular files"
    if reason is None and path.suffix.lower() not in SUFFIXES:
        reason = path.suffix.lower() or "without a suffix"
    if reason is None:
        listing.images.append(path)
    else:
        listing.passed_over[reason] += 1


def _junk(parts: tuple[str, ...]) -> str | None:
    """Return the name under which hidden files and those that systems leave behind are counted, or None."""
    for part in parts:
        if part.lower() in JUNK or part.lower() in JUNK_FOLDERS or part == ".DS_Store":
            return part
        if part.startswith("._"):
            return "._*"
        if part.startswith("."):
            return "hidden"
    return None


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: the folder cannot be read: {error.strerror}") from error
