"""Tests of the lines about image files among the findings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from training.data.readers.images.decode import Depth, Header
from training.data.readers.images.listing import Listing
from training.data.readers.images.notes import note_findings
from training.data.readers.images.parts import Layout

PLAIN = Header((8, 8), False, "8 bits", False, False, False)
FLAT = Layout(files={"train": [Path("a.png")]}, labels={"train": None}, names={"train": "."})


def test_nothing_is_said_of_plain_images() -> None:
    assert note_findings(Listing(Path()), FLAT, [PLAIN] * 3, "8 bits", "white") == {}


DEEP = PLAIN._replace(depth="16 bits")
REDUCED = PLAIN._replace(is_reduced=True)
UPPER_BITS = "8 bits; 1 images have 16 bits per channel, of which the upper 8 are read"


@pytest.mark.parametrize(
    ("header", "depth", "line"),
    [
        (DEEP, "16 bits", "16 bits, levels from 0 to 65535; 2 images have 8, whose 255 is 65535"),
        (DEEP, "8 bits", UPPER_BITS),
        (REDUCED, "8 bits", UPPER_BITS),
    ],
)
def test_the_depth_has_a_line_unless_all_have_8_bits(header: Header, depth: Depth, line: str) -> None:
    assert note_findings(Listing(Path()), FLAT, [PLAIN, header, PLAIN], depth, None) == {"depth": line}


@pytest.mark.parametrize(
    ("background", "line"),
    [
        (None, "black under transparent pixels of 1 images; --background COLOUR chooses another"),
        ("#fff", "#fff under transparent pixels of 1 images"),
    ],
)
def test_the_background_has_a_line_if_it_can_be_seen(background: str | None, line: str) -> None:
    headers = [PLAIN, PLAIN._replace(is_transparent=True)]
    assert note_findings(Listing(Path()), FLAT, headers, "8 bits", background) == {"background": line}


def test_further_frames_have_a_line() -> None:
    headers = [PLAIN, PLAIN._replace(has_frames=True)]
    assert note_findings(Listing(Path()), FLAT, headers, "8 bits", None) == {
        "frames": "only the first of each of 1 files"
    }


def test_files_passed_over_and_parts_have_lines() -> None:
    listing = Listing(Path(), passed_over=Counter({".txt": 2, "hidden": 1}))
    layout = Layout(
        files={"train": [Path()] * 5, "test": [Path()] * 2},
        labels={"train": list("ababa"), "test": None},
        is_split=True,
        names={"train": "Train/", "test": "Test/"},
    )
    assert note_findings(listing, layout, [PLAIN], "8 bits", None) == {
        "passed over": "3 files: .txt 2, hidden 1",
        "parts": "of the folders: Train/ 5, Test/ 2 without classes; the validation part is a share of Train/",
    }
