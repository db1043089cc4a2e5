"""Imports follow the arrows between the rooms, and the server starts without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "app.files": set(),
    "app.inputs": set(),
    "app.priors": {"app.inputs"},
    "app.scorers": {"app.inputs"},
    "app.manifest": {"app.inputs", "app.priors", "app.scorers", "app.files"},
    "app.places": {"app.files", "app.manifest", "app.inputs"},
    "app.errors": set(),
    "app.distribution": set(),
    "app.setting_types": set(),
    "app.settings": {"app.setting_types", "app.distribution"},
    "app.logs": {"app.log_writer"},
    "app.log_writer": set(),
    "app.times": set(),
    "app.arrays": {"app.manifest", "app.inputs"},
    "app.engine": {
        "app.engine",
        "app.arrays",
        "app.places",
        "app.manifest",
        "app.inputs",
        "app.files",
        "app.errors",
        "app.times",
    },
    "app.formats": {"app.formats", "app.arrays", "app.errors", "app.manifest", "app.inputs"},
    "app.parameters": {"app.errors"},
    "app.options": {"app.parameters", "app.engine", "app.errors"},
    "app.tasks": {"app.options", "app.engine", "app.arrays", "app.manifest", "app.inputs"},
    "app.server": {"app.server", "app.errors", "app.times"},
    "app.api": {
        "app.api",
        "app.server",
        "app.tasks",
        "app.options",
        "app.parameters",
        "app.engine",
        "app.formats",
        "app.arrays",
        "app.manifest",
        "app.inputs",
        "app.errors",
        "app.settings",
        "app.distribution",
        "app.times",
    },
    "app.main": {"app.distribution", "app.api", "app.server", "app.engine", "app.settings", "app.logs"},
    "app.serving": {
        "app.distribution",
        "app.serving",
        "app.main",
        "app.server",
        "app.settings",
        "app.places",
        "app.logs",
        "app.errors",
    },
    "app.importing": {
        "app.importing",
        "app.engine",
        "app.arrays",
        "app.manifest",
        "app.priors",
        "app.inputs",
        "app.errors",
        "onnx",
    },
    "app.importing.tidy": {"onnx"},
    "app.setting_options": {"app.settings", "app.errors"},
    "app.cli": {
        "app.distribution",
        "app.serving",
        "app.commands",
        "app.setting_options",
        "app.settings",
        "app.errors",
    },
    "app.__main__": {"app.cli"},
    "app.commands": {
        "app.importing",
        "app.engine",
        "app.server.guard.keys",
        "app.places",
        "app.errors",
        "app.logs",
    },
    "training": {
        "training",
        "app.importing.tidy",
        "app.distribution",
        "app.engine",
        "app.formats",
        "app.arrays",
        "app.manifest",
        "app.inputs",
        "app.priors",
        "app.scorers",
        "app.errors",
        "torch",
        "onnx",
    },
}
"""The rooms that each room may import; the most specific name counts."""
LIBRARIES = {
    "uvicorn": {"app.server.connection", "app.server.bounded", "app.server.cycle", "app.serving.server"},
    "onnxruntime": {
        "app.engine.session",
        "app.engine.graph",
        "app.engine.autoencoder",
        "app.engine.prior",
        "app.engine.scorer",
        "app.engine.run_limit",
        "app.importing",
        "training",
    },
    "limits": {"app.server.guard.rate_limits"},
    "opentelemetry": {"app.server.traces"},
    "grpc": {"app.api.v2.grpc"},
    "grpc_health": {"app.api.v2.grpc"},
    "grpc_reflection": {"app.api.v2.grpc"},
    "google.protobuf": {"app.api.v2.grpc"},
    "fastapi": {"app.api"},
    "starlette": {"app.api", "app.server"},
}
"""The only rooms that may import each of these libraries."""


def modules() -> list[tuple[str, Path]]:
    """Return every module of app and training, with its dotted name."""
    paths = [*(ROOT / "app").rglob("*.py"), *(ROOT / "training").rglob("*.py")]
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path) for path in paths]


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module))
    return names


def lies_in(name: str, room: str) -> bool:
    """Return True if a module is a room, or lies in it."""
    return name == room or name.startswith(room + ".")


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_follow_the_arrows(name: str, path: Path) -> None:
    rooms = [room for room in ALLOWED if lies_in(name, room)]
    if not rooms:
        assert name == "app", f"{name} belongs to no room"
        return
    allowed = ALLOWED[max(rooms, key=len)]
    for target in imported(path):
        if target.split(".")[0] in ("app", "training", "tests", "bench", "torch", "onnx"):
            assert any(lies_in(target, room) for room in allowed), f"{name} imports {target}"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_has_its_own_rooms(library: str) -> None:
    users = {name for name, path in modules() if any(lies_in(target, library) for target in imported(path))}
    assert users
    assert {name for name in users if not any(lies_in(name, room) for room in LIBRARIES[library])} == set()


def test_the_server_starts_without_torch_onnx_or_training(tiny_models: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.main import create_app; from app.settings import Settings;"
        "from starlette.testclient import TestClient;"
        f"client = TestClient(create_app(Settings(models_dir=Path({str(tiny_models)!r}))));"
        "assert client.get('/openapi.json').status_code == 200;"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'torch', 'onnx', 'training', 'lightning', 'sklearn', 'scipy', 'matplotlib', 'yaml'}))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.strip().splitlines()[-1] == "[]"


def test_telemetry_is_off_before_onnxruntime_is_imported() -> None:
    program = (
        "import os, sys; os.environ.pop('ORT_DISABLE_TELEMETRY', None); import app.engine;"
        "assert 'onnxruntime' not in sys.modules; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.strip() == "1"


def test_importing_does_nothing() -> None:
    program = (
        "import sys, threading, app.main, app.__main__, training.__main__;"
        "assert threading.active_count() == 1; print(len(sys.argv))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd="/", check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
