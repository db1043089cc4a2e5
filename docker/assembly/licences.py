"""The licences of the image: a folder of texts for each component, and an index."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from docker.assembly.components import Component, UnknownLicence

INDEX = "index.json"


def write_licences(components: Iterable[Component], folder: Path) -> None:
    """Write the texts of each component's licences and an index. Raises UnknownLicence if one has no text."""
    index = []
    for component in components:
        if not component.texts:
            raise UnknownLicence(f"{component.name} has no text of its licence")
        target = folder / f"{component.name}-{component.version.replace('/', '_')}"
        names = [_copy(text, target) for text in component.texts]
        index.append(
            {
                "name": component.name,
                "version": component.version,
                "licence": component.licence,
                "texts": [f"{target.name}/{name}" for name in names],
            }
        )
    (folder / INDEX).write_text(json.dumps(index, indent=1) + "\n")


def _copy(text: Path, folder: Path) -> str:
    """Copy a text, under a name that no other text in the folder has, and return the name."""
    folder.mkdir(parents=True, exist_ok=True)
    name, number = text.name, 1
    while (folder / name).exists():
        number += 1
        name = f"{text.stem}-{number}{text.suffix}"
    shutil.copyfile(text, folder / name)
    return name
