"""Tests of the files below a folder: every one is an image, or counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from training.data.readers.images.listing import list_files
from training.errors import DataError


def touch(folder: Path, *names: str) -> None:
    """Write empty files: a listing opens none."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_images_are_sorted_and_others_are_counted_by_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a/c.JPG", "d.bmp", "e.gif", "f.tif", "g.pgm", "h.heic", "i.heic", "notes.TXT", "README")
    listing = list_files(tmp_path)
    assert [file.name for file in listing.images] == ["c.JPG", "b.png", "d.bmp", "e.gif", "f.tif", "g.pgm"]
    assert listing.passed_over == Counter({".heic": 2, ".txt": 1, "without a suffix": 1})
    assert listing.describe() == "4 files: .heic 2, .txt 1, without a suffix 1"


def test_files_that_systems_leave_behind_are_counted_by_name(tmp_path: Path) -> None:
    junk = ["Thumbs.db", "x/desktop.ini", ".DS_Store", "._a.png", "__MACOSX/x/._b.png", "__MACOSX/c.png"]
    touch(tmp_path, "a.png", *junk, ".git/d.png", ".cache.png")
    listing = list_files(tmp_path)
    assert [file.name for file in listing.images] == ["a.png"]
    assert listing.passed_over == Counter(
        {"Thumbs.db": 1, "desktop.ini": 1, ".DS_Store": 1, "._*": 1, "__MACOSX": 2, "hidden": 2}
    )


def test_links_are_followed_but_no_folder_is_read_twice(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/deep/1.png", "elsewhere/2.png", "set/cat/3.png")
    (tmp_path / "set" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set" / "loop").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "all").symlink_to(tmp_path / "set" / "cat")
    (tmp_path / "set" / "cat" / "4.png").symlink_to(tmp_path / "elsewhere" / "2.png")
    (tmp_path / "set" / "cat" / "5.png").symlink_to(tmp_path / "nowhere.png")
    listing = list_files(tmp_path / "set")
    assert [str(file.relative_to(tmp_path / "set")) for file in listing.images] == [
        "cat/3.png",
        "cat/4.png",
        "dog/2.png",
        "dog/deep/1.png",
    ]
    assert listing.passed_over == Counter({"links to folders that are read already": 2, "broken links": 1})


def test_a_link_to_a_folder_above_reads_the_folder_once(tmp_path: Path) -> None:
    touch(tmp_path, "other.png", "set/1.png")
    (tmp_path / "set" / "up").symlink_to(tmp_path)
    assert [file.name for file in list_files(tmp_path / "set").images] == ["1.png", "other.png"]


def test_at_most_twelve_reasons_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", *(f"{number}.{letter}" for letter in "bcdefghijklmno" for number in range(2)))
    assert list_files(tmp_path).describe().startswith("28 files: .b 2, .c 2,")
    assert list_files(tmp_path).describe().endswith(".m 2 and 4 for 2 other reasons")


@pytest.mark.parametrize(
    ("names", "problem"), [(["a.heic", "b.raw"], r"got 2 files: \.heic 1, \.raw 1"), ([], "got an empty folder")]
)
def test_a_folder_without_images_says_what_it_holds(tmp_path: Path, names: list[str], problem: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=f"expected PNG, JPEG, WebP, BMP, GIF, TIFF or PGM images, {problem}"):
        list_files(tmp_path)
