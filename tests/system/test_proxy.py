"""Under a root path, the documentation and its "Try it out" work behind nginx, whether it removes the prefix or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from tests.helpers.browser import browse
from tests.helpers.nginx import nginx
from tests.helpers.process import serving

pytestmark = pytest.mark.needs("nginx")

ROOT = Path(__file__).parents[2]
ROOT_PATH = "/ai/hourglass"
INJECTION = """
    proxy_set_header Accept-Encoding "";
    sub_filter '</body>' '<script src="/try.js"></script></body>';
"""
"""Lines that add a script to the pages, which their policy allows since it comes from the same host."""
OTHER_LOCATIONS = """
location = /try.js {{ root {folder}; default_type text/javascript; }}
location = {root_path} {{ return 308 {root_path}/; }}
"""
SCRIPT = """
const wait = (selector) => new Promise((found) => {
    const look = () => {
        const element = document.querySelector("#operations-tasks-encode " + selector);
        element ? found(element) : setTimeout(look, 50);
    };
    look();
});
(async () => {
    (await wait(".opblock-summary-control")).click();
    (await wait(".btn.execute")).click();
    const status = (await wait(".live-responses-table tr.response .response-col_status")).textContent;
    document.title = status.trim() + " from " + document.querySelector(".request-url pre").textContent;
})();
"""


@pytest.fixture(scope="module", params=["removed", "kept"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the bundled models under a root path, behind nginx that removes it or keeps it."""
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "try.js").write_text(SCRIPT)
    with serving(models_dir=str(ROOT / "models"), root_path=ROOT_PATH, host="127.0.0.1") as (_, upstream, _):
        upstream += "/" if request.param == "removed" else ""
        with nginx(folder, server_block(upstream, folder)) as proxy:
            yield proxy


def server_block(upstream: str, folder: Path) -> str:
    """Return the guide's configuration with this server and this root path."""
    (shown,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/guides/security.md").read_text(), re.DOTALL)
    location = shown.replace("http://127.0.0.1:8000", upstream).replace("/hourglass/ {", f"{ROOT_PATH}/ {{{INJECTION}")
    return str(location + OTHER_LOCATIONS.format(root_path=ROOT_PATH, folder=folder))


def test_the_addresses_of_the_document_lead_to_the_server(address: str) -> None:
    with httpx.Client(follow_redirects=True) as client:
        page = client.get(f"{address}{ROOT_PATH}")
        assert str(page.url) == f"{address}{ROOT_PATH}/docs"
        where = urljoin(str(page.url), "openapi.json")
        document = client.get(where).json()
        server = urljoin(where, document["servers"][0]["url"])
        assert server == f"{address}{ROOT_PATH}"
        answer = client.post(f"{server}/v1/models/mnist-vae/generate", params={"count": 2})
        assert (answer.status_code, len(answer.json()["samples"])) == (200, 2)
        assert client.get(f"{server}/readyz").json() == {"status": "ok"}
        assert client.get(urljoin(str(page.url), "docs/assets/swagger-ui.css")).status_code == 200


@pytest.mark.needs("chromium")
def test_try_it_out_succeeds_under_the_policy_of_the_page(address: str, tmp_path: Path) -> None:
    dom = browse(f"{address}{ROOT_PATH}/docs", tmp_path / "profile", "--dump-dom")
    title = dom.partition("<title>")[2].partition("</title>")[0]
    assert title.startswith("200 from "), title or "the page never answered"
    assert f"{address}{ROOT_PATH}/v1/models/" in title
