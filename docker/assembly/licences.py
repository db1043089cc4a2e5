"""The licences of the image: a folder of texts for each component, and an index."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from docker.assembly.components import COMMON_LICENCES, Component, UnknownLicence

INDEX = "index.json"


COMMON = "common"
"""The folder of texts that several components share."""


def write_licences(components: Iterable[Component], folder: Path) -> None:
    """Write the texts of each component's licences and an index. Raises UnknownLicence if one has no text."""
    index = []
    for component in components:
        if not component.texts:
            raise UnknownLicence(f"{component.name} has no text of its licence")
        own = f"{component.name}-{component.version.replace('/', '_').replace(':', '_')}"
        index.append(
            {
                "name": component.name,
                "version": component.version,
                "licence": component.licence,
                "texts": [_copy(text, folder, own) for text in component.texts],
            }
        )
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n")


def _copy(text: Path, folder: Path, own: str) -> str:
    """Copy a text to a component's own folder, or to the common one, and return its path in the whole folder."""
    if text.is_relative_to(COMMON_LICENCES):
        place, name = COMMON, text.name
    else:
        place, name = own, _free_name(folder / own, text)
    (folder / place).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(text, folder / place / name)
    return f"{place}/{name}"


def _free_name(folder: Path, text: Path) -> str:
    name, number = text.name, 1
    while (folder / name).exists():
        number += 1
        name = f"{text.stem}-{number}{text.suffix}"
    return name
