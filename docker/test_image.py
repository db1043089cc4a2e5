"""Tests of the real image: make test-docker IMAGE=hourglass:local."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

IMAGE = os.environ.get("HOURGLASS_IMAGE", "hourglass:local")
NETWORK = CONTAINER = "hourglass-test"
HARDENED = ["--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,size=64m", "--cap-drop", "ALL"]
HARDENED += ["--security-opt", "no-new-privileges"]
DIGIT = Path(__file__).parent.parent / "docs" / "images" / "digit.png"


def docker(*arguments: str, check: bool = True) -> str:
    """Return the output of a docker command."""
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0 or not check, ended.stderr
    return ended.stdout.strip()


def run_in_image(program: str) -> str:
    """Return the output of a Python program inside the image."""
    return docker("run", "--rm", "--network", "none", *HARDENED, IMAGE, "python", "-c", program)


@pytest.fixture
def address() -> Iterator[str]:
    """Run a hardened container with the bundled models until it is healthy, and return its address."""
    docker("rm", "--force", CONTAINER, check=False)
    docker("network", "create", NETWORK, check=False)
    docker("run", "--detach", "--name", CONTAINER, "--network", NETWORK, "-p", "127.0.0.1:18081:8000", *HARDENED, IMAGE)
    deadline = time.monotonic() + 60
    while docker("inspect", "-f", "{{.State.Health.Status}}", CONTAINER) != "healthy":
        assert time.monotonic() < deadline, docker("logs", CONTAINER)
        time.sleep(0.5)
    yield "http://127.0.0.1:18081"
    docker("rm", "--force", CONTAINER, check=False)
    docker("network", "rm", NETWORK, check=False)


def test_a_hardened_container_serves_every_task_and_ends_with_0(address: str) -> None:
    picture = {"content": DIGIT.read_bytes(), "headers": {"content-type": "image/png"}}
    for task in ("mnist-ae/encode", "mnist-ae/reconstruct", "mnist-sdae/denoise", "mnist-vae/encode"):
        assert httpx.post(f"{address}/v1/models/{task}", **picture).status_code == 200  # type: ignore[arg-type]
    latents = httpx.post(f"{address}/v1/models/mnist-vae-2d/encode", **picture).json()["latents"]  # type: ignore[arg-type]
    decoded = httpx.post(
        f"{address}/v1/models/mnist-vae-2d/decode", json={"latents": latents}, headers={"accept": "image/png"}
    )
    assert decoded.content.startswith(b"\x89PNG")
    assert httpx.post(f"{address}/v1/models/mnist-vae/generate?count=4").status_code == 200
    assert httpx.get(f"{address}/docs").status_code == 200
    docker("kill", "--signal", "TERM", CONTAINER)
    assert docker("wait", CONTAINER) == "0"


def test_the_image_is_not_root_and_has_neither_torch_nor_a_package_manager() -> None:
    program = (
        "import os, sys, importlib.util as u; assert sys.prefix == '/opt/venv';"
        "print(os.getuid(), [n for n in ('torch', 'onnx', 'lightning', 'pip', 'training') if u.find_spec(n)])"
    )
    assert run_in_image(program) == "10001 []"


def test_telemetry_is_off() -> None:
    assert run_in_image("import os; print(os.environ['ORT_DISABLE_TELEMETRY'])") == "1"


def test_an_empty_repository_is_one_sentence_and_an_exit_code() -> None:
    command = ["docker", "run", "--rm", "--network", "none", "--tmpfs", "/srv/models:ro", *HARDENED, IMAGE]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "no valid model in /srv/models" in ended.stderr
    assert "Traceback" not in ended.stderr
