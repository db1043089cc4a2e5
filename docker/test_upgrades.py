"""Real clients that offer HTTP/2 get their answers from the image: make test-docker IMAGE=hourglass:local."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.process import wait_until_ready
from tests.helpers.programs import find_program
from tests.helpers.upgrades import check_curl, check_jdk, write_bodies

IMAGE = os.environ.get("HOURGLASS_IMAGE", "hourglass:local")
NAME = "hourglass-upgrades"


@pytest.fixture
def address() -> Iterator[str]:
    """Run a container in a network of its own, and give its address."""
    for command in (
        f"network create {NAME}",
        f"run --detach --name {NAME} --network {NAME} -p 127.0.0.1:18083:8000 {IMAGE}",
    ):
        subprocess.run(["docker", *command.split()], check=True, capture_output=True, timeout=60)
    wait_until_ready("http://127.0.0.1:18083")
    yield "http://127.0.0.1:18083"
    for command in (f"rm --force {NAME}", f"network rm {NAME}"):
        subprocess.run(["docker", *command.split()], check=True, capture_output=True, timeout=60)


@pytest.mark.skipif(not (find_program("curl") and find_program("javac")), reason="there is no curl or no JDK")
def test_curl_and_a_jdk_client_get_their_answers(address: str, tmp_path: Path) -> None:
    latents = write_bodies(tmp_path)
    assert check_curl(address, tmp_path, latents, "--http2")
    assert check_jdk(address, tmp_path, latents)
