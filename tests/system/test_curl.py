"""The program curl gets its answers, and the documented commands give the answers that stand beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.process import run_shell, serving, use_address
from tests.helpers.v1 import SAMPLE

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.needs("curl")


@pytest.fixture(scope="module")
def tiny_server(tiny_models: Path) -> Iterator[str]:
    """Serve the tiny models, and give the server's address."""
    with serving(models_dir=str(tiny_models)) as (_, address, _):
        yield address


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the bundled models, and give the server's address."""
    with serving(models_dir=str(ROOT / "models")) as (_, address, _):
        yield address


def test_curl_gets_its_answer_although_it_offers_http2(tiny_server: str, tmp_path: Path) -> None:
    command = (
        f"curl --http2 --silent --fail -H 'Content-Type: application/json' -d '{json.dumps({'samples': [SAMPLE]})}' "
        f"{tiny_server}/v1/models/tiny-ae/encode"
    )
    assert json.loads(run_shell(command, tmp_path))["latents"]


@pytest.mark.parametrize("document", ["README.md", "docs/guides/open-inference-protocol.md"])
def test_commands_give_the_answers_that_the_document_shows(document: str, address: str) -> None:
    pairs = re.findall(r"```sh\n(curl [^`]*)```\n+```json\n([^`]*)```", (ROOT / document).read_text())
    assert pairs
    for command, shown in pairs:
        answer = run_shell(use_address(command, address), ROOT)
        assert_same_json(json.loads(answer), json.loads(shown))


def test_commands_of_the_readme_write_pictures(address: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    pictures = [block for block in blocks if "--output" in block]
    assert pictures
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    for block in pictures:
        run_shell(use_address(block, address), tmp_path)
        for name in re.findall(r"--output (\S+)", block):
            assert np.asarray(Image.open(tmp_path / name)).max() > 200


def assert_same_json(answer: object, shown: object) -> None:
    """Compare JSON, numbers to three digits: processors differ in the last ones."""
    if isinstance(shown, dict):
        assert isinstance(answer, dict)
        assert answer.keys() == shown.keys()
        for key in shown.keys() - {"request_id"}:  # each request has its own
            assert_same_json(answer[key], shown[key])
    elif isinstance(shown, list):
        assert isinstance(answer, list)
        for one, expected in zip(answer, shown, strict=True):
            assert_same_json(one, expected)
    elif isinstance(shown, float):
        assert answer == pytest.approx(shown, rel=1e-3, abs=1e-3)
    else:
        assert answer == shown
