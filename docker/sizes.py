"""Print the size of an image by layer and by component: `make image-sizes IMAGE=hourglass:local`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

MEGABYTE = 1_000_000
COMPRESSION_LEVEL = 6
"""The level of gzip with which registries are sent layers."""
PACKAGES = re.compile(r".*/site-packages/([^/]+)")
RECORD = re.compile(r".*/site-packages/([^/]+)-[^/-]+\.dist-info/RECORD")
PLACES = (
    (re.compile(r"srv/models/"), "bundled models"),
    (re.compile(r".*/lib/python3[^/]*/|.*/bin/python|.*/libpython"), "Python and its library"),
    (re.compile(r"usr/share/(licenses|sbom)/|var/lib/dpkg/"), "licences and bill of materials"),
    (re.compile(r".*\.so(\.|$)"), "shared libraries of the system"),
)
"""The components of files outside the packages, by their paths."""


@dataclass
class Layer:
    """A layer of an image."""

    command: str
    """The line of the Dockerfile, as Docker notes it."""
    files: dict[str, int] = field(default_factory=dict)
    """The bytes of each regular file."""
    compressed: int = 0
    """The bytes of the layer as it is sent. An engine may save it compressed; then it hardly shrinks again."""
    owners: dict[str, str] = field(default_factory=dict)
    """The package of each entry of the folder site-packages."""

    @property
    def bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(self.files.values())


def read_layers(archive: Path) -> list[Layer]:
    """Return the layers in an archive that `docker save` wrote, without empty ones."""
    with tarfile.open(archive) as saved:
        (manifest,) = json.load(_member(saved, "manifest.json"))
        history = json.load(_member(saved, manifest["Config"]))["history"]
        commands = [step["created_by"] for step in history if not step.get("empty_layer")]
        layers = []
        for command, name in zip(commands, manifest["Layers"], strict=True):
            layers.append(_read_layer(command, _member(saved, name).read()))
    return [layer for layer in layers if layer.files]


def _read_layer(command: str, content: bytes) -> Layer:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        layer = Layer(command, compressed=len(zlib.compress(content, COMPRESSION_LEVEL)))
        with tarfile.open(fileobj=file) as entries:
            for entry in entries:
                if not entry.isfile():
                    continue
                path = entry.name.removeprefix("./")
                layer.files[path] = entry.size
                if found := RECORD.match(path):
                    lines = _member(entries, entry).read().decode().splitlines()
                    tops = {line.split("/")[0].split(",")[0] for line in lines}
                    layer.owners |= dict.fromkeys(tops, found[1].replace("_", "-").lower())
    return layer


def _member(archive: tarfile.TarFile, name: Any) -> IO[bytes]:
    file = archive.extractfile(name)
    assert file is not None, name
    return file


def by_component(layers: Iterable[Layer]) -> Counter[str]:
    """Return the bytes of each component of an image."""
    layers = list(layers)
    owners = {top: owner for layer in layers for top, owner in layer.owners.items()}
    sizes: Counter[str] = Counter()
    for layer in layers:
        for path, size in layer.files.items():
            sizes[component_of(path, owners)] += size
    return sizes


def component_of(path: str, owners: dict[str, str]) -> str:
    """Return the component of a file, given the packages of the entries of site-packages."""
    if found := PACKAGES.match(path):
        return owners.get(found[1], "other packages")
    return next((name for pattern, name in PLACES if pattern.match(path)), "other")


def report(layers: list[Layer]) -> str:
    """Return both tables, in Markdown and in megabytes."""
    lines = ["| layer | MB | compressed |", "|---|---|---|"]
    for layer in layers:
        name = re.sub(r"\s*# buildkit$", "", layer.command).strip()
        lines.append(f"| `{name}` | {layer.bytes / MEGABYTE:.1f} | {layer.compressed / MEGABYTE:.1f} |")
    total, compressed = (sum(getattr(layer, name) for layer in layers) for name in ("bytes", "compressed"))
    lines += [f"| all | {total / MEGABYTE:.1f} | {compressed / MEGABYTE:.1f} |", "", "| component | MB |", "|---|---|"]
    lines += [f"| {name} | {size / MEGABYTE:.1f} |" for name, size in by_component(layers).most_common()]
    return "\n".join(lines) + "\n"


def save(image: str) -> list[Layer]:
    """Return the layers of an image of the local engine."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "image.tar")
        subprocess.run(["docker", "save", "--output", archive, image], check=True)
        return read_layers(archive)


if __name__ == "__main__":
    sys.stdout.write(report(save(sys.argv[1])))
