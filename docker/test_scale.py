"""
The compose file's profile `scale`: nginx in front of several servers, of which none loses a request.

The tests use the proxy's image if the engine has it or can pull it, and else Debian's nginx on the base of our image.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

ROOT = Path(__file__).parent.parent
PROXY = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["proxy"]
OTHER_PROXY = "hourglass-test-proxy:local"
OTHER_PROXY_DOCKERFILE = """
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light
"""
ADDRESS = "http://127.0.0.1:8080"
CLIENTS = 4
DIGIT = (ROOT / "docs" / "images" / "digit.png").read_bytes()


def run(*command: str, text: str | None = None, **variables: str) -> str:
    """Return the output of a command. It must succeed."""
    ended = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=300, cwd=ROOT, env={**os.environ, **variables}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def proxy_image() -> str:
    """Return the image of the compose file, or one with Debian's nginx if this engine can pull none."""
    image = str(PROXY["image"]).removeprefix("${PROXY_IMAGE:-").removesuffix("}")
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True).returncode == 0:
        return image
    if subprocess.run(["docker", "pull", "--quiet", image], capture_output=True, timeout=300).returncode == 0:
        return image
    run("docker", "build", "--network=host", "--tag", OTHER_PROXY, "-", text=OTHER_PROXY_DOCKERFILE)
    return OTHER_PROXY


class Scaled:
    """The profile with a number of servers."""

    def __init__(self, image: str) -> None:
        self.image = image

    def compose(self, *arguments: str) -> str:
        """Return the output of a command of compose."""
        project = ["docker", "compose", "--project-name", "hourglass-scale", "--profile", "scale"]
        return run(*project, *arguments, PROXY_IMAGE=self.image)

    def scale(self, count: int) -> None:
        """Run this many servers behind the proxy, and wait until all are healthy."""
        options = ["--detach", "--wait", "--no-build", "--no-recreate", "--pull", "never"]
        self.compose("up", *options, "--scale", f"replica={count}", "proxy")

    def replicas(self) -> list[str]:
        """Return the identifiers of the servers' containers."""
        return self.compose("ps", "--quiet", "replica").split()

    def requests(self) -> dict[str, int]:
        """Return the number of requests that each server has logged."""
        return {name: log_of(name).count('"event":"request"') for name in self.replicas()}


def log_of(container: str) -> str:
    """Return what a server has written to stderr."""
    return subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True).stderr


@pytest.fixture(scope="module")
def profile(proxy_image: str) -> Iterator[Scaled]:
    """Give the profile, and end it after all tests."""
    profile = Scaled(proxy_image)
    yield profile
    profile.compose("down", "--volumes")


@pytest.fixture
def scaled(profile: Scaled) -> Scaled:
    """Run three servers behind the proxy: those that are there, and new ones for those that a test has ended."""
    profile.scale(3)
    return profile


@contextmanager
def load() -> Iterator[Counter[int | str]]:
    """Send images from several clients; give the count of each status, and of each error, once they have ended."""
    outcomes: Counter[int | str] = Counter()
    ended = threading.Event()

    def send() -> None:
        headers = {"content-type": "image/png"}
        with httpx.Client(base_url=ADDRESS, timeout=30) as client:
            while not ended.is_set():
                try:
                    answer = client.post("/v1/models/mnist-vae-2d/encode", content=DIGIT, headers=headers)
                    outcomes[answer.status_code] += 1
                except httpx.HTTPError as error:
                    outcomes[repr(error)] += 1

    threads = [threading.Thread(target=send) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def wait_for_requests(outcomes: Counter[int | str], count: int) -> None:
    """Wait until this many more requests have an outcome."""
    deadline = time.monotonic() + 60
    goal = outcomes.total() + count
    while outcomes.total() < goal:
        assert time.monotonic() < deadline, outcomes
        time.sleep(0.05)


def test_all_servers_answer(scaled: Scaled) -> None:
    before = scaled.requests()
    assert len(before) == 3
    with httpx.Client(base_url=ADDRESS) as client:
        for _ in range(60):
            assert client.post("/v1/models/mnist-vae/generate").status_code == 200
    shares = [count - before[name] for name, count in scaled.requests().items()]
    assert sum(shares) == 60
    assert min(shares) > 0


def test_large_bodies_reach_the_server(scaled: Scaled) -> None:
    largest = httpx.post(f"{ADDRESS}/v1/models/mnist-vae/encode", content=b" " * 2**24, timeout=60)
    assert (largest.status_code, largest.headers["content-type"]) == (400, "application/problem+json")
    larger = httpx.post(f"{ADDRESS}/v1/models/mnist-vae/encode", content=b" " * (2**24 + 1), timeout=60)
    assert (larger.status_code, larger.json()["code"]) == (413, "body-too-large")


def test_a_server_that_is_stopped_loses_nothing(scaled: Scaled) -> None:
    with load() as outcomes:
        wait_for_requests(outcomes, 100)
        run("docker", "stop", scaled.replicas()[0])
        wait_for_requests(outcomes, 100)
    assert outcomes == {200: outcomes.total()}
    assert len(scaled.replicas()) == 2


def test_fewer_and_more_servers_lose_nothing(scaled: Scaled) -> None:
    with load() as outcomes:
        for count in (1, 3):
            scaled.scale(count)
            assert len(scaled.replicas()) == count
            wait_for_requests(outcomes, 100)
        before = scaled.requests()
        wait_for_requests(outcomes, 300)
        shares = [count - before[name] for name, count in scaled.requests().items()]
    assert outcomes == {200: outcomes.total()}
    assert min(shares) > 0  # the new ones answer, too, without a reload of nginx


def test_a_server_that_is_killed_loses_at_most_what_it_held(scaled: Scaled) -> None:
    """An answer whose head nginx has passed on cannot be asked for again; each client waits for one answer at most."""
    with load() as outcomes:
        wait_for_requests(outcomes, 100)
        run("docker", "kill", scaled.replicas()[0])
        wait_for_requests(outcomes, 300)
    assert outcomes.total() - outcomes[200] <= CLIENTS, outcomes
