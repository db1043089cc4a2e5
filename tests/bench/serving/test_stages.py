"""Each stage of a start is measured by itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_stage_has_a_row_with_its_time() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.serving.stages"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    rows = dict(re.findall(r"^\| ([^|\n]+) \| (\d+) \|$", ended.stdout, re.MULTILINE))
    assert list(rows)[:2] == ["interpreter", "pydantic"]
    assert list(rows)[-2:] == ["models", "after the start: FastAPI"]
    assert all(int(rows[name]) > 5 for name in ("pydantic", "numpy and onnxruntime", "models", list(rows)[-1]))
