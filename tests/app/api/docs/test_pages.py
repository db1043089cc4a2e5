"""/docs and /redoc load nothing from other hosts."""

from __future__ import annotations

import asyncio
import re
import threading
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from app.api.docs import document
from app.api.state import State
from app.main import build_app
from app.settings import Settings


@pytest.mark.parametrize(("page", "assets"), [("/docs", 3), ("/redoc", 2)])
def test_the_pages_load_nothing_from_other_hosts(client: TestClient, page: str, assets: int) -> None:
    response = client.get(page)
    addresses = re.findall(r'(?:src|href|spec-url)="([^"]+)"', response.text)
    assert len([address for address in addresses if "/assets/" in address]) == assets
    assert "openapi.json" in response.text
    assert not re.search("""(?:https?:|["'(])//""", response.text)
    for address in addresses:
        assert client.get(f"/{address}").status_code == 200


def directives(policy: str) -> dict[str, list[str]]:
    """Return the sources of each directive of a Content-Security-Policy."""
    words = [directive.split() for directive in policy.split(";")]
    return {name: sources for name, *sources in words}


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_policy_allows_only_scripts_of_the_server_and_of_the_page(client: TestClient, page: str) -> None:
    response = client.get(page)
    policy = directives(response.headers["content-security-policy"])
    assert policy["default-src"] == ["'self'"]
    assert {policy[name][0] for name in ("object-src", "base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    scripts = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert policy["script-src"] == ["'self'", *(f"'sha256-{digest}'" for digest in digests)]
    assert not re.search(r"<[^>]+ on\w+=", response.text)


def test_a_browser_gets_the_page_and_its_icon(client: TestClient) -> None:
    assert client.get("/favicon.ico").headers["content-type"] == "image/png"
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"


@pytest.mark.parametrize("path", ["/", "/hourglass", "/hourglass/"])
def test_the_redirect_stays_below_the_root_path(tiny_models: Path, path: str) -> None:
    state = State.load(Settings(models_dir=tiny_models, root_path="/hourglass"))
    with TestClient(build_app(state)) as client:
        assert client.get(path, follow_redirects=False).headers["location"] == "/hourglass/docs"


def test_the_document_is_built_on_a_thread_and_kept(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = State.load(Settings(models_dir=tiny_models, threads=2))
    started, gate, threads = threading.Event(), threading.Event(), list[str]()

    def build(*_: object) -> dict[str, str]:
        threads.append(threading.current_thread().name)
        started.set()
        assert gate.wait(30)
        return {"openapi": "3.1.0"}

    monkeypatch.setattr(document, "build_document", build)

    async def scenario() -> None:
        transport = httpx.ASGITransport(build_app(state))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            first = asyncio.create_task(client.get("/openapi.json"))
            while not started.is_set():
                await asyncio.sleep(0.001)
            assert (await client.get("/livez")).status_code == 200  # meanwhile
            gate.set()
            answers = [await first, await client.get("/openapi.json")]
            assert [answer.content for answer in answers] == [b'{"openapi":"3.1.0"}'] * 2
            assert {answer.headers["content-type"] for answer in answers} == {"application/json"}

    asyncio.run(asyncio.wait_for(scenario(), 30))
    state.close()
    assert [name.partition("_")[0] for name in threads] == ["formats"]
