"""A running server keeps out who has no key, replaces keys without a restart, and lets no caller starve another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.__main__ import main
from app.server.guard.keys import key_line
from tests.helpers.process import serving

BODY = {"samples": [[0.25, 0.75, 0.5, 0]]}
ENCODE = "/v1/models/tiny-ae/encode"
LOAD = "/v2/repository/models/tiny-ae.encode/load"


def make_key(capsys: pytest.CaptureFixture[str], name: str, *options: str) -> tuple[str, str]:
    """Return a new key and its line, as the command prints them."""
    assert main(["key", name, *options]) == 0
    output = capsys.readouterr()
    return output.err.split()[-1], output.out


def status(address: str, key: str | None, path: str = ENCODE) -> int:
    """Return the status of a POST request with a key."""
    headers = {"X-API-Key": key} if key else {}
    return httpx.post(address + path, json=BODY, headers=headers).status_code


def becomes(expected: int, ask: Callable[[], int], seconds: float = 5) -> bool:
    """Return True as soon as a status is the expected one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ask() == expected:
            return True
        time.sleep(0.05)
    return False


def test_keys_are_replaced_while_the_server_runs(
    tiny_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, alices_line = make_key(capsys, "alice")
    bob, bobs_line = make_key(capsys, "bob")
    olga, olgas_line = make_key(capsys, "olga", "--control")
    path = tmp_path / "keys"
    path.write_text(alices_line + olgas_line)
    with serving(models_dir=str(tiny_models), keys_file=str(path)) as (_, address, lines):
        assert [status(address, key) for key in (None, alice, bob, olga)] == [401, 200, 401, 403]
        assert status(address, alice, LOAD) == 403
        assert status(address, olga, LOAD) != 401
        open_paths = ("/livez", "/readyz", "/v2/health/live", "/v2/health/ready")
        assert [httpx.get(address + path).status_code for path in open_paths] == [200] * 4
        assert [httpx.get(address + path).status_code for path in ("/docs", "/openapi.json", "/v1/models")] == [401] * 3
        path.write_text(bobs_line)
        assert becomes(200, lambda: status(address, bob))
        assert status(address, alice) == 401
        path.write_text("torn")
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not any("the earlier ones stay" in line for line in lines):
            assert status(address, bob) == 200
    assert sum("the earlier ones stay" in line for line in lines) == 1
    assert not any(secret in line for line in lines for secret in (alice, bob, olga))


@pytest.fixture(scope="module")
def limited(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    """Serve two keys with 50 requests per second each; give the address and the keys."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("".join(f"{key_line(name, 'inference', name)}\n" for name in ("greedy", "modest")))
    with serving(models_dir=str(tiny_models), keys_file=str(path), rate_limit="50/second") as (_, address, _):
        yield address, "greedy", "modest"


def test_a_flood_with_one_key_refuses_nothing_to_another(limited: tuple[str, str, str]) -> None:
    address, greedy, modest = limited
    stop = threading.Event()
    statuses: dict[str, list[int]] = {greedy: [], modest: []}

    def flood() -> None:
        with httpx.Client(base_url=address, headers={"X-API-Key": greedy}) as client:
            while not stop.is_set() and len(statuses[greedy]) < 20_000:
                statuses[greedy].append(client.post(ENCODE, json=BODY).status_code)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for thread in threads:
        thread.start()
    with httpx.Client(base_url=address, headers={"X-API-Key": modest}) as client:
        for _ in range(45):
            statuses[modest].append(client.post(ENCODE, json=BODY).status_code)
    stop.set()
    for thread in threads:
        thread.join()
    assert statuses[modest] == [200] * 45
    assert set(statuses[greedy]) == {200, 429}


def test_a_refused_caller_learns_when_to_come_back(limited: tuple[str, str, str]) -> None:
    address, greedy, _ = limited
    with httpx.Client(base_url=address, headers={"X-API-Key": greedy}) as client:
        refused = next(answer for _ in range(500) if (answer := client.post(ENCODE, json=BODY)).status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert becomes(200, lambda: client.post(ENCODE, json=BODY).status_code, seconds=3)


def test_a_page_that_rebinds_its_name_reads_nothing_of_a_local_server(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models)) as (_, address, _):
        port = address.rpartition(":")[2]
        for path in ("/v1/models", "/docs", "/openapi.json", "/nowhere"):
            answer = httpx.get(address + path, headers={"Host": f"evil.example.org:{port}"})
            assert (answer.status_code, answer.json()["code"]) == (421, "misdirected-request")
        for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"hourglass:{port}"):
            assert httpx.get(f"{address}/v1/models", headers={"Host": host}).status_code == 200


def test_a_listed_page_gets_its_preflight_and_its_answer(tiny_models: Path) -> None:
    origin = "https://app.example.com"
    with serving(models_dir=str(tiny_models), cors_origins=origin) as (_, address, _):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        preflight = httpx.options(address + ENCODE, headers=asked)
        assert (preflight.status_code, preflight.content) == (204, b"")
        assert preflight.headers["access-control-allow-origin"] == origin
        for body, expected in ((BODY, 200), ({}, 422)):
            answer = httpx.post(address + ENCODE, json=body, headers={"Origin": origin})
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (expected, origin)
        foreign = httpx.options(address + ENCODE, headers=asked | {"Origin": "https://evil.example.org"})
        assert foreign.status_code == 405
        assert "access-control-allow-origin" not in foreign.headers
