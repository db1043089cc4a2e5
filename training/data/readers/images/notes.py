"""The lines about image files among the findings."""

from __future__ import annotations

from collections.abc import Sequence

from training.data.readers.images.decode import Depth, Header
from training.data.readers.images.listing import Listing
from training.data.readers.images.parts import PARTS, Layout


def note_findings(
    listing: Listing, layout: Layout, headers: Sequence[Header], depth: Depth, background: str | None
) -> dict[str, str]:
    """Return the lines by their names; a line without anything to say is left out."""
    lines = {
        "passed over": listing.describe() if listing.passed_over else "",
        "parts": _parts(layout),
        "depth": _depth(headers, depth),
        "background": _background(headers, background),
        "frames": _frames(headers),
    }
    return {name: line for name, line in lines.items() if line}


def _parts(layout: Layout) -> str:
    if not layout.is_split:
        return ""
    parts = ", ".join(
        f"{layout.names[part]} {len(layout.files[part])}"
        + ("" if layout.labels[part] or not layout.labels["train"] else " without classes")
        for part in PARTS
        if part in layout.files
    )
    missing = [part for part in PARTS if part not in layout.files]
    share = f"; the {missing[0]} part is a share of {layout.names['train']}" if missing else ""
    source = "files' names" if layout.by_files else "folders"
    return f"of the {source}: {parts}{share}"


def _depth(headers: Sequence[Header], depth: Depth) -> str:
    deep = sum(header.depth == "16 bits" for header in headers)
    reduced = sum(header.is_reduced for header in headers) + (deep if depth == "8 bits" else 0)
    if depth == "16 bits":
        shallow = len(headers) - deep
        return "16 bits, levels from 0 to 65535" + (f"; {shallow} images have 8, whose 255 is 65535" if shallow else "")
    return f"8 bits; {reduced} images have 16 bits per channel, of which the upper 8 are read" if reduced else ""


def _background(headers: Sequence[Header], background: str | None) -> str:
    transparent = sum(header.is_transparent for header in headers)
    remedy = "" if background else "; --background COLOUR chooses another"
    return f"{background or 'black'} under transparent pixels of {transparent} images{remedy}" if transparent else ""


def _frames(headers: Sequence[Header]) -> str:
    several = sum(header.has_frames for header in headers)
    return f"only the first of each of {several} files" if several else ""
