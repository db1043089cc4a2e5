"""The start: the address is logged once the server listens, and the supervisor stays small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.load import PROBE, ask
from tests.helpers.process import serving


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_server_listens_when_its_address_is_logged(tiny_models: Path, workers: str) -> None:
    with serving(models_dir=str(tiny_models), workers=workers) as (_, address, lines):
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")
        assert sum("Uvicorn running on" in line for line in lines) == 1


def test_the_supervisor_imports_nothing_heavy() -> None:
    program = (
        "import sys, app.serving.run, app.cli;"
        "print({name.split('.')[0] for name in sys.modules} & {'numpy', 'onnxruntime', 'fastapi', 'uvicorn', 'PIL'})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "set()\n"
