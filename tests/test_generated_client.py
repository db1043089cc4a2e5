"""A client that openapi-python-client generates from the document works on a running server."""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.helpers.process import serving

ROOT = Path(__file__).parent.parent
SAMPLE = [0.25, 0.75, 0.5, 0]
NAME = "hourglass_client_of_this_test"


@pytest.fixture(scope="module")
def address(tiny_models: Path) -> Iterator[str]:
    """Start a server of the tiny models, and give its address."""
    with serving(models_dir=str(tiny_models)) as (_, address, _):
        yield address


@pytest.fixture(scope="module")
def generated(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Generate the client with the guide's configuration; give its folder and the generator's output."""
    folder = tmp_path_factory.mktemp("generated")
    guide = (ROOT / "docs/guides/clients.md").read_text()
    shown = re.findall(r"```yaml\n(content_type_overrides:.*?)```", guide, re.DOTALL)
    assert len(shown) == 1
    (folder / "client.yaml").write_text(shown[0])
    (folder / "openapi.json").write_bytes(httpx.get(f"{address}/openapi.json").content)
    command = "generate --path openapi.json --config client.yaml --meta none --fail-on-warning --output-path"
    ended = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *command.split(), NAME],
        cwd=folder,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},  # it runs ruff
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout
    sys.path.insert(0, str(folder))
    yield folder / NAME, ended.stdout + ended.stderr
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
        del sys.modules[name]


def part(name: str) -> Any:
    """Import a module of the generated client."""
    return importlib.import_module(f"{NAME}{name}")


@pytest.fixture
def client(generated: tuple[Path, str], address: str) -> Iterator[Any]:
    """Give the generated client of the server."""
    with part("").Client(base_url=address, raise_on_unexpected_status=True) as client:
        yield client


def test_every_operation_is_generated(generated: tuple[Path, str], address: str) -> None:
    folder, output = generated
    assert output.split() == ["Generating", NAME]
    document = httpx.get(f"{address}/openapi.json").json()
    ids = {operation["operationId"] for methods in document["paths"].values() for operation in methods.values()}
    modules = {path.stem for path in (folder / "api").rglob("*.py")} - {"__init__"}
    assert modules == ids


def test_samples_are_encoded(client: Any) -> None:
    body = part(".models").SamplesIn(samples=[SAMPLE, [1, 0, 0, 1]])
    answer = part(".api.tasks.encode").sync("tiny-ae", client=client, body=body)
    assert type(answer) is part(".models").Latents
    assert (answer.model, answer.version, answer.latents) == ("tiny-ae", 2, [[1, 0.5], [1, 1]])


def test_a_version_reconstructs_samples(client: Any) -> None:
    body = part(".models").SamplesIn(samples=[SAMPLE])
    answer = part(".api.tasks_of_one_version.reconstruct_version").sync("tiny-ae", 1, client=client, body=body)
    assert type(answer) is part(".models").Reconstructions
    assert (answer.version, answer.errors) == (1, [0.0625])
    assert answer.samples == [[[[0.5, 0.5], [0.25, 0.25]]]]


def test_latents_are_decoded(client: Any) -> None:
    body = part(".models").LatentsIn(latents=[[1, 0.5]])
    answer = part(".api.tasks.decode").sync("tiny-table", client=client, body=body)
    assert type(answer) is part(".models").Samples
    assert answer.samples == [[0.5, 0.5, 0.25, 0.25]]


def test_noise_is_added_and_removed(client: Any) -> None:
    body, noise = part(".models").SamplesIn(samples=[SAMPLE]), part(".models").DenoiseNoise.MASKING
    answer = part(".api.tasks.denoise").sync("tiny-sdae", client=client, body=body, noise=noise, amount=1, seed=1)
    assert type(answer) is part(".models").Denoised
    assert (answer.seed, answer.noisy, answer.samples) == (1, [[[[0, 0], [0, 0]]]], [[[[0, 0], [0, 0]]]])


def test_samples_are_generated_on_an_event_loop(client: Any, address: str) -> None:
    async def draw(count: int) -> Any:
        async with part("").Client(base_url=address) as ours:
            return await part(".api.tasks.generate").asyncio("tiny-vae", client=ours, count=count, seed=7)

    three, five = asyncio.run(draw(3)), asyncio.run(draw(5))
    assert type(three) is part(".models").Samples
    assert three.seed == 7
    assert np.shape(three.samples) == (3, 1, 2, 2)
    assert five.samples[:3] == three.samples
    assert five.samples[3] != five.samples[4]


def test_a_chosen_seed_is_in_the_headers(client: Any) -> None:
    answer = part(".api.tasks.generate").sync_detailed("tiny-vae", client=client, count=1)
    assert int(answer.headers["X-Seed"]) == answer.parsed.seed


def test_a_file_is_sent_as_npy(client: Any) -> None:
    content = io.BytesIO()
    np.save(content, np.array([SAMPLE], np.float16))
    content.seek(0)
    body = part(".types").File(payload=content)
    assert part(".api.tasks.encode").sync("tiny-ae", client=client, body=body).latents == [[1, 0.5]]


def test_images_are_sent_in_a_form(client: Any, address: str) -> None:
    route = httpx.get(f"{address}/openapi.json").json()["paths"]["/v1/models/{model}/encode"]["post"]
    if "multipart/form-data" not in route["requestBody"]["content"]:
        pytest.skip("this server takes no forms")
    files = []
    for level in (0, 255):
        content = io.BytesIO()
        Image.new("L", (2, 2), level).save(content, "PNG")
        content.seek(0)
        files.append(part(".types").File(payload=content, file_name=f"{level}.png", mime_type="image/png"))
    body = part(".models").ImageFiles(images=files)
    assert part(".api.tasks.encode").sync("tiny-ae", client=client, body=body).latents == [[0, 0], [2, 2]]


def test_errors_are_typed(client: Any) -> None:
    body = part(".models").LatentsIn(latents=[[1, 2, 3]])
    problem = part(".api.tasks.decode").sync("tiny-ae", client=client, body=body)
    assert type(problem) is part(".models").Problem
    assert (problem.status, problem.code) == (422, "wrong-shape")
    missing = part(".api.models.get_model").sync("nothing", client=client)
    assert (type(missing), missing.code) == (part(".models").Problem, "unknown-model")


def test_manifests_are_typed(client: Any) -> None:
    listed = part(".api.models.list_models").sync(client=client)
    assert type(listed) is part(".models").ModelList
    assert {manifest.name for manifest in listed.models} == {"tiny-ae", "tiny-sdae", "tiny-table", "tiny-vae"}
    table = part(".api.models.get_model").sync("tiny-table", client=client)
    assert type(table.input_) is part(".models").VectorInput
    assert part(".api.health.ready").sync(client=client).status == "ok"
