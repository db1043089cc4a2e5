"""The system's components: Debian's packages of the copied files, and Python itself."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from docker.assembly.components import COMMON_LICENCES, Component, UnknownLicence

STATUS_FOLDER = Path("var/lib/dpkg/status.d")
"""The folder where scanners of images without a package manager look for Debian's packages."""
SEE_TEXT = "see its copyright file"
"""The licence of a Debian package, most of which have several."""
COMMON_LICENCE = re.compile(r"/usr/share/common-licenses/([\w.+-]*\w)")


def owners(files: Sequence[Path]) -> set[str]:
    """Return the names of the Debian packages that files belong to. Some belong to none."""
    if not files:
        return set()
    ended = subprocess.run(["dpkg-query", "--search", *map(str, files)], capture_output=True, text=True, check=False)
    names = (line.partition(": ")[0] for line in ended.stdout.splitlines() if not line.startswith("diversion "))
    return {name for line in names for name in line.split(", ")}


def packages(names: Iterable[str]) -> list[Component]:
    """Return Debian's packages as components, with the texts of their licences."""
    components = []
    for name in sorted(names):
        query = ["dpkg-query", "--show", "--showformat=${Package}\t${Version}\t${Architecture}", name]
        package, version, architecture = subprocess.check_output(query, text=True).split("\t")
        text = Path("/usr/share/doc", package, "copyright")
        if not text.is_file():
            raise UnknownLicence(f"{text} is missing")
        purl = f"pkg:deb/debian/{package}@{version}?arch={architecture}"
        components.append(Component(package, version, purl, SEE_TEXT, copyright_texts(text)))
    return components


def copyright_texts(text: Path) -> tuple[Path, ...]:
    """Return a package's copyright file and the texts of the licences that it refers to."""
    names = sorted(set(COMMON_LICENCE.findall(text.read_text(errors="replace"))))
    common = [COMMON_LICENCES / name for name in names]
    return (text, *(path for path in common if path.is_file()))


def write_status(names: Iterable[str], root: Path) -> None:
    """Write the status of packages for scanners."""
    folder = root / STATUS_FOLDER
    folder.mkdir(parents=True)
    for name in sorted(names):
        status = subprocess.check_output(["dpkg-query", "--status", name], text=True)
        (folder / name.partition(":")[0]).write_text(status)


def python_component(library: Path, program: Path) -> Component:
    """Return Python as a component. Its licence is in its library, or in the package that has its program."""
    text = library / "LICENSE.txt"
    if not text.is_file():
        names = owners([program.resolve()])
        if not names:
            raise UnknownLicence("Python has no text of its licence")
        text = Path("/usr/share/doc", names.pop().partition(":")[0], "copyright")
    version = platform.python_version()
    return Component("python", version, f"pkg:generic/python@{version}", "Python-2.0.1", copyright_texts(text))
