"""Arrows run one way, and the server starts without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

ALLOWED = {
    "app.manifest": set(),
    "app.errors": set(),
    "app.settings": set(),
    "app.logs": set(),
    "app.engine": {"app.engine", "app.manifest", "app.errors"},
    "app.formats": {"app.formats", "app.errors", "app.manifest"},
    "app.api": {"app.api", "app.engine", "app.formats", "app.manifest", "app.errors", "app.settings"},
    "app.main": {"app.api", "app.engine", "app.settings", "app.logs"},
    "app.importing": {"app.importing", "app.engine", "app.manifest", "app.errors", "onnx"},
    "app.commands": {"app.importing", "app.engine", "app.errors", "app.logs"},
    "app.__main__": {"app.main", "app.commands", "app.settings", "app.logs", "app.errors"},
    "app.importing.tidy": {"onnx"},
    "training": {
        "training",
        "app.arrays",
        "app.engine",
        "app.errors",
        "app.formats",
        "app.importing.tidy",
        "app.manifest",
    },
}
"""For each room, the rooms that it may import; the most specific name counts."""


def modules() -> list[tuple[str, Path]]:
    """Every module of app and training with its dotted name."""
    paths = [*(ROOT / "app").rglob("*.py"), *(ROOT / "training").rglob("*.py")]
    return [(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path) for path in paths]


def imported(path: Path) -> set[str]:
    """The modules of ours and of torch's family that a module names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(str(node.module))
    return {name for name in found if name.split(".")[0] in ("app", "training", "tests", "bench", "torch", "onnx")}


@pytest.mark.parametrize(("name", "path"), modules(), ids=[name for name, _ in modules()])
def test_imports_follow_the_arrows(name: str, path: Path) -> None:
    rooms = [room for room in ALLOWED if name == room or name.startswith(room + ".")]
    if not rooms:
        assert name == "app", f"{name} belongs to no room"
        return
    allowed = ALLOWED[max(rooms, key=len)]
    for target in imported(path):
        if name.startswith("training") and target.split(".")[0] in ("torch", "onnx"):
            continue
        assert any(target == room or target.startswith(room + ".") for room in allowed), f"{name} imports {target}"


def test_the_server_starts_without_torch_onnx_or_training(tiny_models: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.main import create_app; from app.settings import Settings;"
        f"app = create_app(Settings(models_dir=Path({str(tiny_models)!r}))); app.openapi();"
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
