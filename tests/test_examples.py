"""Every example runs, against a real server."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.helpers.process import environment, serving

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
NOTEBOOK = EXAMPLES / "csv_to_latents.ipynb"
NOTEBOOK_SECONDS = 240
"""A limit for a busy machine: the notebook takes 13 s on an idle one."""


def run_python(*arguments: str, folder: Path, seconds: float = 60) -> str:
    """Run a program in a folder, with this checkout's packages, and return its output. It must succeed."""
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment(), "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_client_encodes_decodes_and_generates(tmp_path: Path) -> None:
    with serving(models_dir=str(ROOT / "models")) as (_, address, _):
        output = run_python(str(EXAMPLES / "client.py"), address, folder=tmp_path)
    first, *picture, last = output.splitlines()
    latents = re.findall(r"-?\d+\.\d+", first)
    assert [float(number) for number in latents] == pytest.approx([-1.1885581, 1.2503661], rel=1e-3)
    assert len(picture) == 28
    assert any("#" in line for line in picture)
    assert re.fullmatch(r"generated 4 digits; to repeat them, pass seed = \d+", last)


def test_the_notebook_is_valid_and_holds_no_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    identifiers = [cell["id"] for cell in notebook["cells"]]
    assert len(set(identifiers)) == len(identifiers)
    for cell in notebook["cells"]:
        assert cell["cell_type"] in ("code", "markdown")
        assert isinstance(cell["metadata"], dict)
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)


def test_the_notebook_trains_serves_and_encodes_a_csv_file(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    program = tmp_path / "notebook.py"
    program.write_text("\n\n".join(code))
    output = run_python(str(program), folder=tmp_path, seconds=NOTEBOOK_SECONDS)
    assert "(569, 12)" in output
    agreement = re.search(r"the same diagnosis for (\d+)% of the rows", output)
    assert agreement is not None
    assert int(agreement.group(1)) > 85  # 63 % of the rows are benign


def test_the_collector_prints_the_parts_of_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # which tests in the background inherit ignored
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "collector.py"), "0"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    signal.signal(signal.SIGINT, handler)
    assert process.stdout is not None
    try:
        collector = process.stdout.readline().split()[-1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        with serving(models_dir=str(ROOT / "models"), traces="true") as (_, address, _):
            httpx.post(
                f"{address}/v1/models/mnist-vae/generate", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
            )
        words = [process.stdout.readline().split() for _ in range(5)]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        process.stdout.close()
    assert [line[1:] for line in words] == [
        ["ms", "POST", "/v1/models/{model}/generate", "trace", "a" * 32],
        ["ms", "decode"],
        ["ms", "queue"],
        ["ms", "compute"],
        ["ms", "encode"],
    ]
    total, *parts = [float(line[0]) for line in words]
    assert 0 < sum(parts) <= total


def test_every_example_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w.]+)\)", (EXAMPLES / "README.md").read_text()))
    tracked = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md"}
    assert listed == tracked
