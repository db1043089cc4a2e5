"""The files of the environment and of Python's library that no run of the server needs. `trim` removes them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Removal(NamedTuple):
    """Files and folders that match a pattern, and the reason for which the server works without them."""

    pattern: str
    reason: str


ENVIRONMENT = (
    Removal("onnxruntime/capi/libonnxruntime.so.*", "a second copy of onnxruntime: Python loads the one in its module"),
    Removal("onnxruntime/transformers", "rewrites graphs of language models"),
    Removal("onnxruntime/quantization", "makes smaller graphs, with the package onnx"),
    Removal("onnxruntime/tools", "converts graphs for phones"),
    Removal("onnxruntime/datasets", "graphs of examples"),
    Removal("onnxruntime/backend", "an interface for the package onnx"),
    Removal("numpy/f2py", "compiles Fortran"),
    Removal("numpy/**/tests", "tests"),
    Removal("numpy/_core/_*tests.*.so", "modules for tests"),
    Removal("numpy/_core/_simd.*.so", "a module for tests"),
    Removal("numpy/_core/include", "headers"),
    Removal("numpy/_core/lib", "a static library"),
    Removal("numpy/random/lib", "a static library"),
    Removal("numpy/random/_examples", "examples"),
    Removal("numpy/_pyinstaller", "a hook of another program"),
    Removal("PIL/_avif.*.so", "AVIF: the server takes PNG, JPEG and WebP"),
    Removal("PIL/_imagingft.*.so", "fonts"),
    Removal("PIL/_imagingcms.*.so", "colour profiles"),
    Removal("PIL/_imagingtk.*.so", "windows on a screen"),
    Removal("simdjson/*.h", "the source code of the module csimdjson"),
    Removal("simdjson/*.cpp", "the source code of the module csimdjson"),
    Removal("**/*.pyi", "types for editors"),
    Removal("**/*.pyx", "source code of compiled modules"),
    Removal("**/*.pxd", "source code of compiled modules"),
    Removal("**/*.pxi", "source code of compiled modules"),
    Removal("**/*.a", "static libraries"),
    Removal("pydantic/mypy.py", "a plug-in for mypy"),
    Removal("**/__pycache__", "bytecode, which is compiled again at the end"),
)
"""Paths below the folder site-packages."""

LIBRARY = (
    Removal("test", "tests"),
    Removal("*/test", "tests"),
    Removal("*/tests", "tests"),
    Removal("idlelib", "an editor"),
    Removal("tkinter", "windows on a screen"),
    Removal("turtledemo", "drawings"),
    Removal("turtle.py", "drawings"),
    Removal("lib2to3", "rewrites Python 2"),
    Removal("ensurepip", "installs pip"),
    Removal("venv", "makes environments"),
    Removal("distutils", "makes packages"),
    Removal("xmlrpc", "an old protocol"),
    Removal("site-packages", "packages of the base image, such as pip"),
    Removal("dist-packages", "packages of the base image"),
    Removal("pydoc_data", "texts of help()"),
    Removal("_pyrepl", "the interactive prompt"),
    Removal("curses", "terminals"),
    Removal("sqlite3", "a database"),
    Removal("dbm", "a database"),
    Removal("config-*", "what a compiler needs"),
    Removal("EXTERNALLY-MANAGED", "a note for pip"),
    Removal("sitecustomize.py", "a hook of Debian's bug reports"),
    Removal("lib-dynload/*test*.so", "modules for tests"),
    Removal("lib-dynload/xx*.so", "examples"),
    Removal("lib-dynload/_tkinter.*.so", "windows on a screen"),
    Removal("lib-dynload/_curses*.so", "terminals"),
    Removal("lib-dynload/readline.*.so", "the interactive prompt"),
    Removal("lib-dynload/_sqlite3.*.so", "a database"),
    Removal("lib-dynload/_dbm.*.so", "a database"),
    Removal("lib-dynload/_gdbm.*.so", "a database"),
    Removal("**/__pycache__", "bytecode, which is compiled again at the end"),
    Removal("**/*.pyc", "bytecode, which is compiled again at the end"),
)
"""Paths below the folder of Python's standard library."""


def matches(folder: Path, removals: tuple[Removal, ...]) -> list[Path]:
    """Return the files and folders below a folder that removals name."""
    return [path for removal in removals for path in sorted(folder.glob(removal.pattern))]
