"""Sizes of an image are counted by layer and by component."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from docker.sizes import by_component, component_of, read_layers, report

PACKAGES = "opt/venv/lib/python3.13/site-packages"


def tar(files: dict[str, bytes]) -> bytes:
    """Return an archive of files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Write an image of three layers, one of them compressed and one without files."""
    record = b"numpy/x.py,,\nnumpy.libs/y.so,,\nnumpy-2.0.dist-info/RECORD,,\n"
    packages = {
        f"{PACKAGES}/numpy/x.py": bytes(3000),
        f"{PACKAGES}/numpy.libs/y.so": bytes(500),
        f"{PACKAGES}/numpy-2.0.dist-info/RECORD": record,
        f"{PACKAGES}/stray.py": bytes(10),
    }
    system = {"usr/bin/python3.13": bytes(70), "usr/lib/libc.so.6": bytes(60), "etc/passwd": bytes(5)}
    steps = [{"created_by": "COPY system # buildkit"}, {"created_by": "ENV A=1", "empty_layer": True}]
    steps += [{"created_by": "COPY packages"}, {"created_by": "WORKDIR /srv"}]
    manifest = [{"Config": "config", "Layers": ["one", "two", "three"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), "config": json.dumps({"history": steps}).encode()}
    files |= {"one": tar(system), "two": gzip.compress(tar(packages)), "three": tar({})}
    (tmp_path / "image.tar").write_bytes(tar(files))
    return tmp_path / "image.tar"


def test_layers_with_files_are_counted(saved: Path) -> None:
    system, packages = read_layers(saved)
    assert (system.bytes, packages.bytes) == (135, 3510 + 60)
    assert 0 < packages.compressed < 1000


def test_components_are_counted_across_layers(saved: Path) -> None:
    assert by_component(read_layers(saved)) == {
        "numpy": 3560,
        "Python and its library": 70,
        "shared libraries of the system": 60,
        "other packages": 10,
        "other": 5,
    }


@pytest.mark.parametrize(
    ("path", "component"),
    [
        ("srv/models/mnist-ae/1/encoder.onnx", "bundled models"),
        ("usr/local/lib/python3.13/os.py", "Python and its library"),
        ("usr/local/lib/libpython3.13.so.1.0", "Python and its library"),
        ("usr/lib/x86_64-linux-gnu/libc.so.6", "shared libraries of the system"),
        ("usr/share/licenses/hourglass/index.json", "licences and bill of materials"),
        ("etc/passwd", "other"),
    ],
)
def test_files_outside_the_packages_have_components(path: str, component: str) -> None:
    assert component_of(path, {}) == component


def test_the_report_has_both_tables(saved: Path) -> None:
    lines = report(read_layers(saved)).splitlines()
    assert lines[2] == "| `COPY system` | 0.0 | 0.0 |"
    assert "| numpy | 0.0 |" in lines
