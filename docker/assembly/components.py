"""The components of the image: Python's packages, what these bring along, and the bundles of JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

Kind = Literal["application", "library", "model"]

LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|thirdpartynotices)", re.IGNORECASE)
NAMED_LICENCES = {
    "Apache 2.0": "Apache-2.0",
    "MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
}
"""SPDX's names of licences that packages name otherwise."""
UNNAMED_LICENCES = {"pysimdjson": "MIT"}
"""Licences of packages whose metadata name none, as their texts have them."""
BUNDLE_LICENCES = {"redoc": "MIT", "swagger-ui-dist": "Apache-2.0"}
NO_EXTRA = {"extra": ""}
COMMON_LICENCES = Path("/usr/share/common-licenses")
"""Debian's texts of licences, for packages that name a licence and have no text."""


class UnknownLicence(Exception):
    """A component has no licence, or no text of it."""


@dataclass(frozen=True)
class Component:
    """Something in the image with a version and a licence."""

    name: str
    version: str
    purl: str
    licence: str
    texts: tuple[Path, ...] = ()
    """The files of its licences, where the build stage has them."""
    kind: Kind = "library"
    needs: frozenset[str] = frozenset()
    """The purls of the components that it needs."""
    parts: tuple[Component, ...] = ()
    """The components that it contains; their licences are among its texts."""


def python_packages(packages: Path, application: str) -> list[Component]:
    """Return the packages of an environment. Those that a package needs are the ones that are there."""
    found = {str(canonicalize_name(item.name)): item for item in distributions(path=[str(packages)])}
    libraries = wheel_libraries(packages)
    purls = {name: f"pkg:pypi/{name}@{item.version}" for name, item in found.items()}
    return [
        Component(
            name=name,
            version=item.version,
            purl=purls[name],
            licence=licence_of(item),
            texts=tuple(licence_texts(item)),
            kind="application" if name == application else "library",
            needs=frozenset(purls[need] for need in _needs(item) if need in purls),
            parts=(*_crates(item), *libraries.get(name, ())),
        )
        for name, item in sorted(found.items())
    ]


def _needs(item: Distribution) -> Iterable[str]:
    needs = [Requirement(text) for text in item.requires or []]
    return {str(canonicalize_name(need.name)) for need in needs if not need.marker or need.marker.evaluate(NO_EXTRA)}


def licence_of(item: Distribution) -> str:
    """Return the licence that a package names, as an SPDX expression if possible. Raises UnknownLicence."""
    fields = ("License-Expression", "License")
    names: list[str] = [value for field in fields for value in item.metadata.get_all(field, [])]
    for name in names:
        if name and "\n" not in name:
            return NAMED_LICENCES.get(name, name)
    if item.name in UNNAMED_LICENCES:
        return UNNAMED_LICENCES[item.name]
    raise UnknownLicence(f"{item.name} names no licence")


def licence_texts(item: Distribution) -> list[Path]:
    """Return the files of a package's licences. Raises UnknownLicence if it has none, and Debian has none either."""
    files = [file for file in item.files or [] if file.suffix not in (".py", ".pyc")]
    texts = [file for file in files if LICENCE_FILE.match(file.name) or "licenses" in file.parts]
    own = [file for file in texts if file.parts[0].endswith(".dist-info")]
    paths = [path for path in (Path(str(file.locate())) for file in own or texts) if path.is_file()]
    common = COMMON_LICENCES / licence_of(item)
    if not paths and common.is_file():
        paths = [common]
    if not paths:
        raise UnknownLicence(f"{item.name} has no text of its licence")
    return paths


def _crates(item: Distribution) -> Iterable[Component]:
    """Yield the Rust crates in a package's compiled modules, from the bills of materials in its wheel."""
    for file in item.files or []:
        if file.parent.name == "sboms" and file.name.endswith("json"):
            for part in json.loads(file.read_text())["components"]:
                purl = str(part.get("purl"))
                if purl.startswith("pkg:cargo/"):
                    licences = [entry.get("expression") or "NOASSERTION" for entry in part.get("licenses", [{}])]
                    yield Component(part["name"], part["version"], purl, licences[0])


def wheel_libraries(packages: Path) -> dict[str, list[Component]]:
    """Return the shared libraries that wheels brought along, by the canonical name of the package."""
    libraries: dict[str, list[Component]] = {}
    for file in sorted(packages.glob("*.libs/*.so*")):
        owner = str(canonicalize_name(file.parent.name.removesuffix(".libs")))
        name, _, rest = file.name.partition("-")  # auditwheel puts a digest after the name
        version = rest.partition(".so")[2].lstrip(".") or "unknown"
        purl = f"pkg:generic/{name}@{version}?in={owner}"
        libraries.setdefault(owner, []).append(Component(name, version, purl, "NOASSERTION"))
    return libraries


def bundles(static: Path) -> list[Component]:
    """Return the bundles of JavaScript in a folder. The first words of their file VERSION are name and version."""
    components = []
    for file in sorted(static.glob("*/VERSION")):
        name, version = file.read_text().replace(",", " ").split()[:2]
        if name not in BUNDLE_LICENCES:
            raise UnknownLicence(f"{file.parent} is a bundle whose licence is not in BUNDLE_LICENCES")
        texts = tuple(path for path in sorted(file.parent.iterdir()) if "LICENSE" in path.name or path.name == "NOTICE")
        components.append(Component(name, version, f"pkg:npm/{name}@{version}", BUNDLE_LICENCES[name], texts))
    return components


def models(folder: Path, licence: str, texts: tuple[Path, ...]) -> list[Component]:
    """Return the bundled models. Their licence is that of the application."""
    components = []
    for file in sorted(folder.glob("*/*/model.json")):
        name, version = file.parent.parent.name, file.parent.name
        purl = f"pkg:generic/hourglass-model-{name}@{version}"
        components.append(Component(name, version, purl, licence, texts, kind="model"))
    return components
