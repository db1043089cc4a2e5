"""The removal from the environment and the library of Python takes what was meant, and the rest works."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from docker.assembly.elf import MissingLibrary, elf_files, needed_libraries, remove_unloadable
from docker.assembly.removals import ENVIRONMENT, LIBRARY, Removal, matches
from docker.assembly.trim import (
    keep_programs,
    own_modules,
    remove,
    remove_unused_libraries,
    rewrite_records,
    strip_symbols,
    trim,
)

NEEDS_COMPILER = pytest.mark.skipif(not (shutil.which("cc") and shutil.which("strip")), reason="no C compiler")


def write(folder: Path, *names: str) -> None:
    """Write small files in a folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def compile_library(path: Path, code: str, *options: str) -> None:
    """Compile a shared library from C, with debug symbols."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["cc", "-g", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *options]
    subprocess.run(command, input=code, text=True, check=True, capture_output=True)


def test_patterns_remove_files_and_folders_and_nothing_beside_them(tmp_path: Path) -> None:
    write(tmp_path, "a/tests/x.py", "a/b/tests/y.py", "a/testing.py", "a/x.pyi", "a/x.py", "tests.py")
    removals = (Removal("a/**/tests", "tests"), Removal("**/*.pyi", "types"), Removal("gone", "nothing"))
    trim(tmp_path, removals)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.py*")) == [
        "a/testing.py",
        "a/x.py",
        "tests.py",
    ]
    assert matches(tmp_path, removals) == []


@pytest.mark.parametrize("removals", [ENVIRONMENT, LIBRARY])
def test_each_removal_stays_inside_and_has_a_reason(removals: tuple[Removal, ...]) -> None:
    assert all(removal.reason and not removal.pattern.startswith(("/", "..")) for removal in removals)
    assert len({removal.pattern for removal in removals}) == len(removals)


@pytest.mark.parametrize(
    "name", ["ssl", "asyncio", "multiprocessing", "email", "json", "logging", "zipfile", "encodings"]
)
def test_modules_that_the_server_imports_stay(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    library = Path(importlib.util.__file__).parent.parent
    removed = matches(library, tuple(removal for removal in LIBRARY if "pyc" not in removal.pattern))
    assert not any(Path(spec.origin).is_relative_to(path) for path in removed)


def test_only_some_programs_and_their_links_stay(tmp_path: Path) -> None:
    write(tmp_path, "hourglass", "pip", "activate")
    (tmp_path / "python3.13").symlink_to("/usr/bin/python3.13")
    (tmp_path / "python3").symlink_to("python3.13")
    (tmp_path / "python").symlink_to("python3.13")
    keep_programs(tmp_path, ["python", "hourglass"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hourglass", "python", "python3.13"]


def test_a_link_is_removed_and_its_target_stays(tmp_path: Path) -> None:
    write(tmp_path, "folder/file")
    (tmp_path / "link").symlink_to("folder")
    remove(tmp_path / "link")
    remove(tmp_path / "nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_records_list_what_is_left_with_its_hash(tmp_path: Path) -> None:
    write(tmp_path, "thing/kept.py")
    info = tmp_path / "thing-1.0.dist-info"
    write(tmp_path, "thing-1.0.dist-info/RECORD")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (info / "RECORD").write_text(
        "thing/kept.py,sha256=old,1\nthing/gone.py,sha256=old,1\nthing-1.0.dist-info/RECORD,,\n"
    )
    rewrite_records(tmp_path)
    files = {str(file): file for file in PathDistribution(info).files or []}
    assert list(files) == ["thing/kept.py", "thing-1.0.dist-info/RECORD"]
    kept = files["thing/kept.py"]
    assert kept.size == len("thing/kept.py")
    assert kept.hash is not None
    # printf thing/kept.py | openssl dgst -sha256 -binary | base64 | tr +/ -_
    digest = subprocess.run(
        ["sha256sum", tmp_path / "thing/kept.py"], capture_output=True, text=True, check=True
    ).stdout
    assert kept.hash.value == base64_of_hex(digest.split()[0])


def base64_of_hex(digits: str) -> str:
    """Return hexadecimal digits as records write them."""
    ended = subprocess.run(["base64"], input=bytes.fromhex(digits), capture_output=True, check=True)
    return ended.stdout.decode().strip().rstrip("=").replace("+", "-").replace("/", "_")


@NEEDS_COMPILER
def test_libraries_that_no_module_loads_are_removed(tmp_path: Path) -> None:
    libraries = tmp_path / "thing.libs"
    compile_library(libraries / "libinner.so", "int inner(void) { return 1; }")
    here = [f"-L{libraries}", "-Wl,--no-as-needed"]
    compile_library(libraries / "libouter.so", "int outer(void) { return 2; }", *here, "-linner", "-Wl,-rpath,$ORIGIN")
    compile_library(libraries / "libunused.so", "int unused(void) { return 3; }")
    compile_library(
        tmp_path / "thing" / "module.so", "int module;", *here, "-louter", "-Wl,-rpath,$ORIGIN/../thing.libs"
    )
    remove_unused_libraries(tmp_path)
    assert sorted(path.name for path in libraries.iterdir()) == ["libinner.so", "libouter.so"]
    (libraries / "libinner.so").unlink()
    with pytest.raises(MissingLibrary, match=r"libinner\.so"):
        needed_libraries(elf_files(tmp_path / "thing"))
    remove_unloadable(tmp_path)
    assert list(elf_files(tmp_path)) == []


@NEEDS_COMPILER
def test_symbols_of_modules_are_stripped_and_the_module_still_loads(tmp_path: Path) -> None:
    module, library = tmp_path / "thing" / "module.so", tmp_path / "thing.libs" / "libthing.so"
    for path in (module, library):
        compile_library(path, "int answer(void) { return 42; }")
    before, untouched = module.stat().st_size, library.read_bytes()
    strip_symbols(own_modules(tmp_path))
    strip_symbols([])
    assert module.stat().st_size < before
    assert library.read_bytes() == untouched
    program = f"import ctypes; print(ctypes.CDLL({str(module)!r}).answer())"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "42\n"


def test_compiled_files_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    write(tmp_path, "text.so")
    (tmp_path / "program").write_bytes(b"\x7fELF and so on")
    (tmp_path / "link").symlink_to("program")
    assert [path.name for path in elf_files(tmp_path)] == ["program"]
    assert needed_libraries([]) == set()
