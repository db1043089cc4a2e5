"""Clients that generators make from the document compile, and send and receive what httpx does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest

from app.server.guard.keys import key_line
from tests.helpers.clients import furnish, run_tools
from tests.helpers.process import serving

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "clients.md").read_text()
DIGIT = ROOT / "docs" / "images" / "digit.png"
KEY = "hg_secret"
MODEL = "/v1/models/mnist-vae-2d"
SAMPLES = np.random.default_rng(0).random((2, 784)).round(3).tolist()
LATENTS = [[0, 0.5], [1, -1]]
TYPESCRIPT = {
    "openapi-typescript": "openapi_fetch",
    "hey-api": "hey_api",
    "orval": "orval",
    "openapi-generator for TypeScript": "openapi_generator",
}
"""The program of each generator, by the generator's heading in the guide."""

EXACT = {"models", "seed", "npy", "png", "problem", "unauthorized"}
"""The results that are not arrays of numbers."""

pytestmark = pytest.mark.needs("node", "npm", "java")


class Server(NamedTuple):
    """A running server with keys, its document, and the answers that a client must get."""

    address: str
    document: str
    answers: dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve the bundled models to clients with a key."""
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(key_line("alice", "inference", KEY))
    with (
        serving(models_dir=str(ROOT / "models"), keys_file=str(keys)) as (_, address, _),
        httpx.Client(base_url=address, headers={"X-API-Key": KEY}) as client,
    ):
        yield Server(address, client.get("/openapi.json").text, answers(client))


def answers(client: httpx.Client) -> dict[str, Any]:
    """Return the results of the programs, as httpx gets them."""

    def post(task: str, **request: Any) -> httpx.Response:
        answer = client.post(f"{MODEL}/{task}", **request)
        assert answer.status_code == 200, answer.text
        return answer

    def file(accept: str) -> str:
        answer = post("decode", json={"latents": LATENTS}, headers={"Accept": accept})
        assert answer.headers["content-type"] == accept
        return base64.b64encode(answer.content).decode()

    image = DIGIT.read_bytes()
    generated = post("generate?count=2&seed=7").json()
    one = post("encode", content=image, headers={"Content-Type": "image/png"}).json()["latents"]
    return {
        "models": [manifest["name"] for manifest in client.get("/v1/models").json()["models"]],
        "encoded": post("encode", json={"samples": SAMPLES}).json()["latents"],
        "decoded": post("decode", json={"latents": LATENTS}).json()["samples"],
        "reconstructed": post("reconstruct", json={"samples": SAMPLES}).json()["errors"],
        "generated": generated["samples"],
        "seed": 7,
        "imageInJson": one,
        "imageAsBody": one,
        "imagesInForm": one * 2,
        "npy": file("application/x-npy"),
        "png": file("image/png"),
        "problem": ["wrong-shape", 422],
        "unauthorized": ["unauthorized", 401],
    }


@pytest.fixture
def folder(tmp_path: Path, server: Server) -> Path:
    """Give an empty folder with the document and the inputs of the programs."""
    task = {"address": server.address, "key": KEY, "samples": SAMPLES, "latents": LATENTS, "image": str(DIGIT)}
    (tmp_path / "task.json").write_text(json.dumps(task))
    return tmp_path


def shown(heading: str, language: str) -> str:
    """Return the only block of a language under a heading of the guide."""
    section = re.split(r"^## ", GUIDE, flags=re.MULTILINE)
    (text,) = (part for part in section if part.startswith(f"{heading}\n"))
    (block,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(block)


def assert_same_results(output: str, server: Server) -> None:
    """Compare the results of a program with those of httpx."""
    results = json.loads(output)
    assert results.keys() == server.answers.keys()
    for name, expected in server.answers.items():
        if name in EXACT:
            assert results[name] == expected, name
        else:
            np.testing.assert_allclose(results[name], expected, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("generator", TYPESCRIPT)
def test_a_typescript_client_compiles_and_works(generator: str, folder: Path, server: Server) -> None:
    program = TYPESCRIPT[generator]
    furnish(folder, server.document, "task.ts", "fetcher.ts", f"{program}.ts", "tsconfig.json", "orval.config.cjs")
    lines = shown(generator, "ts").replace("http://127.0.0.1:8000", server.address).splitlines()
    imports = [line for line in lines if line.startswith("import")]
    body = [line for line in lines if not line.startswith("import")]
    (folder / "guide.ts").write_text("\n".join([*imports, "(async () => {", *body, "})();"]))
    run_tools(shown(generator, "sh"), folder)
    run_tools("tsc --project .", folder)
    assert_same_results(run_tools(f"node out/{program}.js task.json", folder), server)
    assert run_tools("node out/guide.js task.json", folder, KEY=KEY) == "4\n"


def test_a_python_client_of_openapi_generator_works(folder: Path, server: Server) -> None:
    generator = "openapi-generator for Python"
    furnish(folder, server.document, "python_client.py")
    (folder / "guide.py").write_text(shown(generator, "python").replace("http://127.0.0.1:8000", server.address))
    run_tools(shown(generator, "sh"), folder)
    paths = {"PYTHONPATH": "generated", "MYPYPATH": "generated", "KEY": KEY}
    run_tools("mypy --disable-error-code import-untyped python_client.py generated/hourglass_client", folder, **paths)
    assert_same_results(run_tools("python python_client.py task.json", folder, **paths), server)
    assert run_tools("python guide.py", folder, **paths) == "4\n"


def test_the_guide_names_the_tested_versions() -> None:
    tested = json.loads((ROOT / "tests/system/clients/package.json").read_text())["dependencies"]
    requirements = (ROOT / "tests/system/clients/requirements.txt").read_text()
    for name in ("@hey-api/openapi-ts", "orval", "openapi-typescript"):
        assert re.search(rf"^\| {name}\b.*\b{re.escape(tested[name])}\b", GUIDE, re.MULTILINE), name
    (version,) = re.findall(r"^openapi-generator-cli==(.*)$", requirements, re.MULTILINE)
    assert len(re.findall(rf"^\| openapi-generator, .* {re.escape(version)} ", GUIDE, re.MULTILINE)) == 2


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((ROOT / "tests/system/clients/package-lock.json").read_text())
    assert len(lock["packages"]) > 100
    assert not any("resolved" in package for package in lock["packages"].values())
