"""A file that stays open is read again, whatever becomes of its name, and must be what the manifest names."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.engine.kept_file import KeptFile
from app.errors import InvalidModel
from app.manifest import FileDigest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a file."""
    path = tmp_path / "golden.npz"
    path.write_bytes(b"right")
    return path


def test_a_file_that_is_removed_or_replaced_is_read_as_it_was(path: Path) -> None:
    removed, replaced = (KeptFile(path, FileDigest.of(path)) for _ in range(2))
    other = path.with_name("other")
    other.write_bytes(b"wrong")
    other.replace(path)
    assert replaced.read() == b"right"
    path.unlink()
    assert [removed.read(), removed.read()] == [b"right"] * 2


@pytest.mark.parametrize("content", [b"", b"wrong", b"right and more"])
def test_a_file_that_was_overwritten_is_refused_while_it_is_wrong(path: Path, content: bytes) -> None:
    file = KeptFile(path, FileDigest.of(path))
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(InvalidModel, match=r"golden\.npz is not the file that the manifest names: it was overwri"):
            file.read()
    path.write_bytes(b"right")
    assert file.read() == b"right"
