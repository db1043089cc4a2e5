"""The image works as the pods of deploy/kubernetes/ run it: with their user, variables, volumes, limits and probes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.helpers.kubernetes import KUBERNETES, Object, containers, pod, probes, read, variables

ROOT = Path(__file__).parent.parent
IMAGE = os.environ.get("HOURGLASS_IMAGE", "hourglass:local")
CONTAINER = NETWORK = "hourglass-pod"
DEPLOYMENT = read(KUBERNETES / "base" / "deployment.yaml")
RUNTIME = read(KUBERNETES / "kserve" / "servingruntime.yaml")
SERVICE_LINKS = {"HOURGLASS_SERVICE_HOST": "10.0.0.1", "HOURGLASS_PORT_80_TCP": "tcp://10.0.0.1:80"}
"""Variables of a service `hourglass`, as KServe's pods get them."""


def docker(*arguments: str, check: bool = True) -> str:
    """Return the output of a docker command."""
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0 or not check, ended.stderr
    return ended.stdout.strip()


def run_as_pod(document: Object, *options: str) -> str:
    """Run the image as an object's pods do, until it is ready, and return its address."""
    [container] = containers(document)
    context = {**pod(document).get("securityContext", {}), **container["securityContext"]}
    [port] = container["ports"]
    settings = {**variables(container), **SERVICE_LINKS}
    command = [
        "run",
        "--detach",
        "--name",
        CONTAINER,
        "--network",
        NETWORK,
        "--publish",
        f"127.0.0.1:18082:{port['containerPort']}",
    ]
    command += ["--user", str(context["runAsUser"]), "--read-only", "--cap-drop", *context["capabilities"]["drop"]]
    command += ["--security-opt", "no-new-privileges", "--memory", container["resources"]["limits"]["memory"][:-1]]
    command += [f"--tmpfs={mount['mountPath']}" for mount in container["volumeMounts"]]
    command += [f"--env={name}={value}" for name, value in settings.items()]
    docker("rm", "--force", CONTAINER, check=False)
    docker("network", "create", NETWORK, check=False)
    docker(*command, *options, IMAGE)
    address = "http://127.0.0.1:18082"
    deadline = time.monotonic() + 60
    while status(f"{address}{container['readinessProbe']['httpGet']['path']}") != 200:
        assert time.monotonic() < deadline, docker("logs", CONTAINER)
        time.sleep(0.2)
    return address


def status(address: str) -> int | None:
    """Return the status of a page, or None without an answer."""
    try:
        return httpx.get(address).status_code
    except httpx.TransportError:
        return None


@pytest.fixture(autouse=True)
def _end_containers() -> Iterator[None]:
    """Remove the container and its network after a test."""
    yield
    docker("rm", "--force", CONTAINER, check=False)
    docker("network", "rm", NETWORK, check=False)


def test_a_pod_serves_and_ends_within_its_grace() -> None:
    address = run_as_pod(DEPLOYMENT)
    [container] = containers(DEPLOYMENT)
    assert {status(f"{address}{probe['httpGet']['path']}") for probe in probes(container)} == {200}
    assert httpx.post(f"{address}/v1/models/mnist-vae/generate").status_code == 200
    docker("kill", "--signal", "TERM", CONTAINER)
    ready, live = (
        status(f"{address}{container[name]['httpGet']['path']}") for name in ("readinessProbe", "livenessProbe")
    )
    assert (ready, live) == (503, 200)
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    began = time.monotonic()
    assert docker("wait", CONTAINER) == "0"
    assert time.monotonic() - began < pod(DEPLOYMENT)["terminationGracePeriodSeconds"] - pause


def test_a_pod_of_kserve_serves_the_repository_that_is_mounted() -> None:
    address = run_as_pod(RUNTIME, "--volume", f"{ROOT / 'models'}:/mnt/models:ro")
    zeros = {"name": "latents", "shape": [1, 2], "datatype": "FP32", "data": [0, 0]}
    answer = httpx.post(f"{address}/v2/models/mnist-vae-2d.decode/infer", json={"inputs": [zeros]})
    assert answer.json()["outputs"][0]["shape"] == [1, 1, 28, 28]
    [container] = containers(RUNTIME)
    assert {status(f"{address}{probe['httpGet']['path']}") for probe in probes(container)} == {200}
