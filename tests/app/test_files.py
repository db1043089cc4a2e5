"""Only regular files are read, and no more than is expected of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.files import CHUNK_BYTES, hash_file, irregular_files, list_folder, read_file, read_problem, regular_size


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a file of three bytes."""
    (tmp_path / "abc").write_bytes(b"abc")
    return tmp_path / "abc"


def test_a_file_up_to_the_limit_is_read(file: Path) -> None:
    assert read_file(file, 3) == b"abc"
    assert regular_size(file) == 3


def test_a_larger_file_is_refused(file: Path) -> None:
    with pytest.raises(OSError, match="expected at most 2 bytes, got 3 or more"):
        read_file(file, 2)
    with pytest.raises(OSError, match="expected at most 2 bytes"):
        hash_file(file, 2)


def test_a_file_is_hashed_in_chunks(file: Path) -> None:
    # FIPS 180-2, appendix B.1 and B.3
    assert hash_file(file) == ("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 3)
    file.write_bytes(b"a" * 1_000_000 + b"b" * CHUNK_BYTES)
    assert hash_file(file)[1] == 1_000_000 + CHUNK_BYTES
    file.write_bytes(b"a" * 1_000_000)
    assert hash_file(file)[0] == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_irregular_files_are_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    for read in (lambda: read_file(path, 3), lambda: hash_file(path), lambda: regular_size(path)):
        with pytest.raises(OSError, match="not a regular file"):
            read()


def test_irregular_files_are_found_at_any_depth(file: Path) -> None:
    folder = file.parent
    (folder / "figures").mkdir()
    os.mkfifo(folder / "figures" / "pipe")
    (folder / "link").symlink_to(file)
    (folder / "nowhere").symlink_to(folder / "missing")
    assert irregular_files(folder) == [folder / "figures" / "pipe"]


def test_hidden_entries_are_not_listed(tmp_path: Path) -> None:
    for name in ("b", ".hidden", "a"):
        (tmp_path / name).touch()
    assert [path.name for path in list_folder(tmp_path)] == ["a", "b"]


def test_a_folder_whose_entries_cannot_be_opened_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for mode 0744 and another user
    with pytest.raises(PermissionError, match="Permission denied"):
        list_folder(tmp_path)


def test_a_problem_of_permissions_names_the_user() -> None:
    assert read_problem(PermissionError(13, "Permission denied")) == (
        f"cannot be read by user {os.getuid()}: Permission denied"
    )
    assert read_problem(FileNotFoundError(2, "No such file")) == "cannot be read: No such file"
