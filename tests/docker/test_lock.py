"""The image's hashed requirements agree with pyproject.toml, constraints.txt and the Dockerfile."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docker.lock import (
    HEADING,
    MACHINES,
    PYTHON,
    NotLocked,
    closure,
    files,
    marker_environment,
    pinned_versions,
    pins,
)

ROOT = Path(__file__).parent.parent.parent
LOCKED = files()
ENTRY = re.compile(r"([\w.-]+==\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n")


@pytest.mark.parametrize("name", LOCKED)
def test_the_locked_packages_are_those_that_are_needed_in_the_constrained_versions(name: str) -> None:
    text = (ROOT / "docker" / name).read_text()
    assert [pin for pin, _ in ENTRY.findall(text)] == pins(LOCKED[name])
    assert ENTRY.sub("", text) == HEADING, "nothing else, such as the address of a registry"


def test_a_compiled_package_has_a_hash_for_each_machine() -> None:
    text = (ROOT / "docker" / "requirements.txt").read_text()
    hashes = {pin.partition("==")[0]: lines.count("--hash") for pin, lines in ENTRY.findall(text)}
    compiled = {"numpy", "onnxruntime", "orjson", "pillow", "pydantic-core", "uvloop", "httptools"}
    assert {hashes[name] for name in compiled} == {len(MACHINES)}
    assert hashes["fastapi"] == 1


def test_the_dockerfile_has_the_python_that_is_locked_for_and_takes_no_other_package() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {f"python:{PYTHON}-slim", "scratch"}
    commands = " ".join(text.replace("\\\n", " ").split("RUN ")).split("&& ")
    installs = [command for command in commands if re.search(r"pip .*\binstall\b", command)]
    assert installs
    assert all("--require-hashes" in command or "--no-index" in command for command in installs)


def test_constraints_are_read_by_canonical_name() -> None:
    assert pinned_versions("# note\nPyYAML==6.0.3\nruamel.yaml==0.19\n") == {"pyyaml": "6.0.3", "ruamel-yaml": "0.19"}


def test_markers_hold_for_the_image() -> None:
    environment = marker_environment("aarch64")
    needed = ["idna; python_version < '3.14'", "packaging; platform_machine == 'aarch64'"]
    other = ["h11; sys_platform == 'win32'", "click; python_version < '3.13'", "orjson; extra == 'fast'"]
    assert closure([*needed, *other], environment) == {"idna", "packaging"}


def test_the_requirements_of_requirements_and_extras_are_followed() -> None:
    environment = marker_environment("x86_64")
    assert {"limits", "deprecated", "wrapt", "packaging"} <= closure(["limits"], environment)
    assert "geventhttpclient" in closure(["tritonclient[http]"], environment)
    assert "geventhttpclient" not in closure(["tritonclient"], environment)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(NotLocked, match="nowhere-to-be-found is not installed here"):
        closure(["nowhere.to_be-found"], marker_environment("x86_64"))
    with pytest.raises(NotLocked, match=r"constraints\.txt has no version of pip"):
        pins(["pip"])
