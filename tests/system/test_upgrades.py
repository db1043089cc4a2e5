"""Real clients that offer HTTP/2 get their answers in HTTP/1.1, and no body is read as a request."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.arrays import Latents
from tests.helpers.metrics import scrape, total
from tests.helpers.process import serving
from tests.helpers.programs import program
from tests.helpers.upgrades import check_curl, check_jdk, write_bodies

ROOT = Path(__file__).parents[2]
OFFERS = {
    "h2c": "--http2",
    "none": "--http1.1",
    "websocket": "--header 'Upgrade: websocket' --header 'Connection: Upgrade' --header 'Sec-WebSocket-Version: 13'",
    "TLS": "--header 'Upgrade: TLS/1.3' --header 'Connection: Upgrade'",
}
"""Options of curl that offer a protocol."""

Bodies = tuple[Path, dict[str, Latents]]


@pytest.fixture(scope="module")
def bodies(tmp_path_factory: pytest.TempPathFactory) -> Bodies:
    """Write the bodies, and give their folder and the latents of each."""
    folder = tmp_path_factory.mktemp("bodies")
    return folder, write_bodies(folder)


@pytest.fixture
def address() -> Iterator[str]:
    """Serve the bundled models to one test, so that it can count its requests."""
    with serving(models_dir=str(ROOT / "models")) as (_, address, _):
        yield address


def assert_that_no_other_request_was_read(address: str, count: int) -> None:
    """Check that the server counted this number of requests, all with status 200."""
    samples = scrape(address)
    assert total(samples, "hourglass_requests_total", 'code="200"') == count
    assert total(samples, "hourglass_requests_total") == count


@pytest.mark.needs("java", "javac")
def test_a_jdk_client_gets_its_answers(address: str, bodies: Bodies) -> None:
    assert_that_no_other_request_was_read(address, check_jdk(address, *bodies))


@pytest.mark.needs("curl")
@pytest.mark.parametrize("offer", OFFERS)
def test_curl_gets_its_answers(offer: str, address: str, bodies: Bodies) -> None:
    assert_that_no_other_request_was_read(address, check_curl(address, *bodies, OFFERS[offer]))


@pytest.mark.needs("curl")
def test_http2_without_an_offer_is_refused(address: str) -> None:
    command = [program("curl"), "--silent", "--show-error", "--max-time", "10", "--http2-prior-knowledge"]
    ended = subprocess.run([*command, f"{address}/v1/models"], capture_output=True, text=True)
    assert ended.returncode not in (0, 28), ended.stderr  # 28: no answer in time
    assert httpx.get(f"{address}/v1/models").status_code == 200
