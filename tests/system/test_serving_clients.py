"""The examples of clients for other servers, and of Java's, work with this one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.process import serving
from tests.helpers.programs import program
from tests.helpers.rpc import serving_grpc

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
BLACK = "latents: [[-2.1709189414978027, -2.229550361633301]]"
"""The latents of a black image in `mnist-vae-2d`, as onnxruntime gives them for the bundled graph."""
SECONDS = 120


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the bundled models."""
    with serving(models_dir=str(ROOT / "models")) as (_, address, _):
        yield address


def run(*command: str) -> str:
    """Return what a program prints."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.needs("kserve")
def test_kserves_client_gets_latents_and_reads_the_reason_of_a_refusal(address: str) -> None:
    lines = run(program("kserve"), str(EXAMPLES / "kserve_client.py"), address).splitlines()
    assert lines[0] == BLACK
    assert lines[1].startswith("refused: samples: expected shape [rows, 1, 28, 28]")


@pytest.mark.needs("kserve")
def test_kserves_client_for_grpc_gets_latents_raw_and_typed() -> None:
    with serving_grpc(models_dir=str(ROOT / "models")) as server:
        lines = run(program("kserve"), str(EXAMPLES / "kserve_grpc_client.py"), server.address).splitlines()
    assert lines[:2] == ["live, ready: True True", "model ready: True False"]
    assert lines[2:4] == [BLACK] * 2
    assert lines[4].startswith("refused: INVALID_ARGUMENT samples: expected shape [rows, 1, 28, 28]")


@pytest.mark.needs("mlserver")
def test_mlservers_codecs_get_latents(address: str) -> None:
    assert run(program("mlserver"), str(EXAMPLES / "mlserver_codecs.py"), address).splitlines() == [BLACK] * 2


@pytest.mark.needs("java")
def test_javas_client_encodes_an_image_and_generates_a_picture(address: str, tmp_path: Path) -> None:
    picture = tmp_path / "digits.png"
    digit = str(ROOT / "docs" / "images" / "digit.png")
    lines = run(program("java"), str(EXAMPLES / "JavaClient.java"), address, digit, str(picture)).splitlines()
    assert lines[0] == '200 {"model":"mnist-vae-2d","version":1,"latents":[[-1.1885581,1.2503661]]}'
    assert lines[1] == f"200 {picture}, seed 7"
    assert picture.read_bytes().startswith(b"\x89PNG")
