"""
Write the hashed requirements of the image: `make lock`.

`docker/requirements.txt` pins what the server needs, `docker/requirements-grpc.txt` what it needs with the extra
`grpc`, and `docker/requirements-build.txt` what the build stage needs. The versions are those of `constraints.txt`,
the hashes those of the wheels that pip would take for the image's Python.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYTHON = "3.13"
"""The Python of the Dockerfile."""
MACHINES = ("x86_64", "aarch64")
GLIBC_MINORS = range(41, 16, -1)
"""The versions 2.x of glibc that wheels for the image may name, from Debian 13's down."""
BUILD_TOOLS = ("cyclonedx-python-lib", "packaging", "setuptools")
HEADING = "# Written by `make lock` from constraints.txt: change that file, and run it again.\n"


class NotLocked(Exception):
    """The requirements cannot be locked. The message says why."""


def pinned_versions(constraints: str) -> dict[str, str]:
    """Return the version of each package in constraints.txt, by canonical name."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", constraints, re.MULTILINE)
    return {str(canonicalize_name(name)): version for name, version in lines}


def marker_environment(machine: str) -> dict[str, str]:
    """Return the values of the markers of requirements inside the image."""
    return {
        "extra": "",
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{PYTHON}.0",
        "python_version": PYTHON,
        "sys_platform": "linux",
    }


def closure(requirements: Iterable[str], environment: Mapping[str, str]) -> set[str]:
    """
    Return the canonical names of the packages that requirements need, as far as they hold in an environment.

    The requirements of each package are those of the installed one. Raises NotLocked if one is not installed.
    """
    names: set[str] = set()
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({**environment, "extra": extra}):
            continue
        name = str(canonicalize_name(requirement.name))
        names.add(name)
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError as error:
            raise NotLocked(f"{name} is not installed here: run make lock after make test has installed all") from error
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                waiting += [(Requirement(need), wanted) for need in needs]
    return names


def serving_requirements(*extras: str) -> list[str]:
    """Return the server's requirements in pyproject.toml, with those of some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sum((project["optional-dependencies"][extra] for extra in extras), list(project["dependencies"]))


def files() -> dict[str, Iterable[str]]:
    """Return what each file of requirements is for, by its name in docker/."""
    return {
        "requirements.txt": serving_requirements(),
        "requirements-grpc.txt": serving_requirements("grpc"),
        "requirements-build.txt": BUILD_TOOLS,
    }


def pins(requirements: Iterable[str]) -> list[str]:
    """Return `name==version` for all that requirements need on any of the image's machines, in order of names."""
    versions = pinned_versions((ROOT / "constraints.txt").read_text())
    texts = list(requirements)
    names = set().union(*(closure(texts, marker_environment(machine)) for machine in MACHINES))
    if missing := names - versions.keys():
        raise NotLocked(f"constraints.txt has no version of {', '.join(sorted(missing))}")
    return [f"{name}=={versions[name]}" for name in sorted(names)]


def wheel_hashes(requirements: Iterable[str], machine: str) -> dict[str, str]:
    """Return the SHA-256 of the wheel that pip takes for each requirement, by canonical name."""
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS] + [f"manylinux2014_{machine}"]
    with tempfile.TemporaryDirectory() as scratch:
        report, listed = Path(scratch, "report.json"), Path(scratch, "requirements.txt")
        listed.write_text("\n".join(requirements) + "\n")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--implementation=cp", "--abi=abi3"]
        command += [f"--python-version={PYTHON}", f"--abi=cp{PYTHON.replace('.', '')}", "--abi=none"]
        command += [f"--platform={platform}" for platform in platforms]
        command += [f"--target={scratch}/none", f"--report={report}", f"--requirement={listed}"]
        subprocess.run(command, check=True)
        packages = json.loads(report.read_text())["install"]
    digests = {}
    for package in packages:
        name = str(canonicalize_name(package["metadata"]["name"]))
        digests[name] = package["download_info"]["archive_info"]["hashes"]["sha256"]
    return digests


def locked(requirements: Iterable[str]) -> str:
    """Return the lines of a requirements file with hashes."""
    lines = [HEADING]
    pinned = pins(requirements)
    hashes = [wheel_hashes(pinned, machine) for machine in MACHINES]
    for pin in pinned:
        name = pin.partition("==")[0]
        digests = sorted({by_name[name] for by_name in hashes})
        lines.append(" \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in digests)]) + "\n")
    return "".join(lines)


def main() -> int:
    """Write the files."""
    try:
        for name, requirements in files().items():
            (ROOT / "docker" / name).write_text(locked(requirements))
    except NotLocked as error:
        sys.stderr.write(f"lock: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
