"""The image's file system has the files, links and bytecode that the build stage had."""

from __future__ import annotations

import importlib.util
import marshal
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docker.assembly.root import FILES, USER_ID, compile_bytecode, move, place, place_library, write_system_files


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a file behind two links, as /lib and libthing.so are."""
    folder = tmp_path / "source"
    (folder / "usr" / "lib").mkdir(parents=True)
    (folder / "usr" / "lib" / "libthing.so.1.2").write_text("code")
    (folder / "usr" / "lib" / "libthing.so").symlink_to("libthing.so.1.2")
    (folder / "lib").symlink_to("usr/lib")
    (folder / "absolute").symlink_to(folder / "usr")
    return folder


def below(root: Path, path: Path) -> Path:
    """Return a path as it is below a root."""
    return root / path.relative_to("/")


def test_a_file_is_placed_with_every_link_on_the_way(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for _ in range(2):
        place(source / "lib" / "libthing.so", root)
    copy = below(root, source)
    assert (copy / "lib").readlink() == Path("usr/lib")
    assert (copy / "usr" / "lib" / "libthing.so").readlink() == Path("libthing.so.1.2")
    assert (copy / "lib" / "libthing.so").read_text() == "code"


def test_a_link_with_an_absolute_target_is_placed_with_its_target(source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    place(source / "absolute" / "lib" / "libthing.so.1.2", root)
    assert below(root, source / "absolute").is_symlink()
    assert below(root, source / "usr" / "lib" / "libthing.so.1.2").read_text() == "code"


def test_a_library_is_placed_without_links_that_lead_out_of_it(tmp_path: Path) -> None:
    library = tmp_path / "python3"
    library.mkdir()
    (library / "os.py").write_text("code")
    (library / "inside.py").symlink_to("os.py")
    (library / "outside.py").symlink_to("/etc/hook.py")
    copy = place_library(library, tmp_path / "root")
    assert copy == below(tmp_path / "root", library)
    assert sorted(path.name for path in copy.iterdir()) == ["inside.py", "os.py"]


def test_a_folder_is_moved_to_its_own_path(source: Path, tmp_path: Path) -> None:
    move(source / "usr", tmp_path / "root")
    assert not (source / "usr").exists()
    assert (below(tmp_path / "root", source / "usr") / "lib" / "libthing.so").read_text() == "code"


def test_bytecode_has_the_paths_of_the_image_and_is_used_without_a_look_at_the_source(tmp_path: Path) -> None:
    package = tmp_path / "root" / "lib" / "thing"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def where():\n    return where.__code__.co_filename\n")
    (package / "broken.py").write_text("def (\n")
    compile_bytecode(package, tmp_path / "root")
    cached = Path(importlib.util.cache_from_source(str(package / "__init__.py")))
    flags = int.from_bytes(cached.read_bytes()[4:8], "little")
    assert marshal.loads(cached.read_bytes()[16:]).co_filename == "/lib/thing/__init__.py"
    assert flags == 0b01, "PEP 552: a hash, which is not checked"
    (package / "__init__.py").write_text("def where():\n    return 'the source'\n")
    program = "import thing; print(thing.where())"
    shown = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=package.parent)
    assert shown == f"{package}/__init__.py\n"


@pytest.mark.skipif(shutil.which("ldconfig") is None and not Path("/sbin/ldconfig").exists(), reason="no ldconfig")
@pytest.mark.skipif(os.getuid() != 0, reason="ldconfig -r needs root")
def test_the_system_knows_the_user_and_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/sbin")
    write_system_files(tmp_path / "root", [Path("/etc/ld.so.conf"), Path("/nowhere")])
    root = tmp_path / "root"
    assert f"hourglass:x:{USER_ID}:{USER_ID}:" in (root / "etc" / "passwd").read_text()
    assert {name for name in FILES if not (root / name).is_file()} == set()
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (root / "etc" / "ld.so.cache").is_file()
    assert not (root / "var").exists()
