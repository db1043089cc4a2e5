"""
Assemble the image's files in the build stage: `python -m docker.assembly --environment /opt/venv --models models`.

The folders under /image are the layers of the image, in this order: `system`, `environment`, `application`, `about`.
"""

from __future__ import annotations

import argparse
import sysconfig
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from docker.assembly import components, debian
from docker.assembly.elf import elf_files, needed_libraries, remove_unloadable
from docker.assembly.licences import write_licences
from docker.assembly.removals import ENVIRONMENT, LIBRARY
from docker.assembly.root import compile_bytecode, move, place, place_library, write_system_files
from docker.assembly.sbom import bill_of_materials
from docker.assembly.trim import (
    keep_programs,
    own_modules,
    remove,
    remove_unused_libraries,
    rewrite_records,
    strip_symbols,
    trim,
)

COMMAND = "hourglass"
PROGRAMS = ("python", COMMAND)
"""The programs of the environment that stay."""
NOT_NEEDED = ("include", ".gitignore")
"""Other files of the environment."""
COPIED = (Path("/etc/os-release"), Path("/etc/ld.so.conf"), Path("/etc/ld.so.conf.d"))
STATIC = Path("api", "docs", "static")
"""The place of the bundles of JavaScript in our package."""
SBOM = "usr/share/sbom/hourglass.cdx.json"
LICENCES = "usr/share/licenses/hourglass"


def assemble(environment: Path, models: Path, image: Path) -> None:
    """Write the layers of the image from an environment, the bundled models and this system."""
    packages = next(environment.glob("lib/python3*/site-packages"))
    library = Path(sysconfig.get_path("stdlib"))
    program = environment / "bin" / PROGRAMS[0]
    application = application_of(packages)
    trim_environment(environment, packages)
    names = write_system(image / "system", environment, library, program)
    compile_bytecode(packages, Path("/"))
    rewrite_records(packages)
    found = components.python_packages(packages, application.name)
    ours = next(component for component in found if component.kind == "application")
    for entry in application.entries:
        found += components.bundles(entry / STATIC)
    found += components.models(models, ours.licence, ours.texts)
    found += [debian.python_component(library, program), *debian.packages(names)]
    write_licences(found, image / "about" / LICENCES)
    sbom = image / "about" / SBOM
    sbom.parent.mkdir(parents=True)
    sbom.write_text(bill_of_materials(found))
    for path in (*application.entries, environment / "bin" / COMMAND):
        move(path, image / "application")
    move(environment, image / "environment")


class Application(NamedTuple):
    """The distribution that has the command, and its files and folders in site-packages."""

    name: str
    entries: tuple[Path, ...]


def application_of(packages: Path) -> Application:
    """Return the distribution in an environment that has the command."""
    for item in distributions(path=[str(packages)]):
        if item.entry_points.select(group="console_scripts", name=COMMAND):
            tops = {file.parts[0] for file in item.files or []} - {"..", "__pycache__"}
            name = str(canonicalize_name(item.name))
            return Application(name, tuple(packages / top for top in sorted(tops)))
    raise SystemExit(f"no distribution in {packages} has the command {COMMAND}")


def trim_environment(environment: Path, packages: Path) -> None:
    """Remove what no run needs from an environment."""
    trim(packages, ENVIRONMENT)
    remove_unused_libraries(packages)
    strip_symbols(own_modules(packages))
    keep_programs(environment / "bin", PROGRAMS)
    for name in NOT_NEEDED:
        remove(environment / name)


def write_system(system: Path, environment: Path, library: Path, program: Path) -> set[str]:
    """Write everything that is not in the environment, and return the names of the Debian packages in it."""
    copy = place_library(library, system)
    trim(copy, LIBRARY)
    remove_unloadable(copy)
    while program.is_relative_to(environment):  # the first path outside: it may be a link, too
        program = program.parent / program.readlink()
    place(program, system)
    for path in needed_libraries([program.resolve(), *elf_files(copy), *elf_files(environment)]):
        if not path.is_relative_to(environment):
            place(path, system)
    strip_symbols([*elf_files(copy), *system.rglob("libpython3.*.so.*")])  # Debian has stripped the others
    write_system_files(system, COPIED)
    compile_bytecode(copy, system)
    names = debian.owners([Path("/", path.relative_to(system)) for path in system.rglob("*") if path.is_file()])
    debian.write_status(names, system)
    return names


def main() -> None:
    """Parse the options and assemble."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--image", type=Path, default=Path("/image"))
    options = parser.parse_args()
    assemble(options.environment, options.models, options.image)


if __name__ == "__main__":
    main()
