"""/docs and /redoc load nothing from other hosts."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(("page", "assets"), [("/docs", 3), ("/redoc", 2)])
def test_the_pages_load_nothing_from_other_hosts(client: TestClient, page: str, assets: int) -> None:
    response = client.get(page)
    addresses = re.findall(r'(?:src|href|spec-url)="([^"]+)"', response.text)
    assert len([address for address in addresses if "/assets/" in address]) == assets
    assert "openapi.json" in response.text
    assert not re.search("""(?:https?:|["'(])//""", response.text)
    for address in addresses:
        assert client.get(f"/{address}").status_code == 200
    assert response.headers["content-security-policy"].startswith("default-src 'self';")


def test_a_browser_gets_the_page_and_its_icon(client: TestClient) -> None:
    assert client.get("/favicon.ico").headers["content-type"] == "image/png"
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"
