"""The documentation pages in a real browser, with no other host to reach."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi.responses import HTMLResponse
from PIL import Image
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.settings import Settings
from tests.helpers.browser import CHROMIUM, browse

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


TASKS = ["encode", "decode", "reconstruct", "denoise", "generate", "interpolate"]
SHOWN = {
    "docs": [f'id="operations-tasks-{task}"' for task in TASKS],
    "redoc": [f'id="tag/tasks/operation/{task}"' for task in TASKS],
}


@pytest.mark.parametrize("page", SHOWN)
def test_a_page_shows_every_route_and_asks_no_other_host(page: str, address: str, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    dom = browse(f"{address}/{page}", tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    pictures = Path(os.environ.get("HOURGLASS_SCREENSHOTS", tmp_path))
    picture = pictures / f"{page}.png"
    browse(f"{address}/{page}", tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,2400")
    for text in SHOWN[page]:
        assert text in dom
    assert "Unable to render" not in dom
    assert "Failed to load" not in dom
    assert "Something went wrong" not in dom
    assert len(Image.open(picture).convert("L").getcolors(256) or []) > 20  # not a blank page
    asked = requests_of_pages(log, address)
    assert {f"{address}/{page}", f"{address}/openapi.json"} <= asked
    assert [url for url in asked if not url.startswith(f"{address}/")] == []


def requests_of_pages(log: Path, address: str) -> set[str]:
    """Return the addresses that pages asked for, by Chromium's log; the browser's own requests are left out."""
    log_data = json.loads(log.read_text())
    start = log_data["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event.get("params", {}) for event in log_data["events"] if event["type"] == start]
    return {
        request["url"]
        for request in requests
        if request.get("initiator") == address or request.get("request_type") == "main frame"
    }


SCRIPT = """
const wait = (selector) => new Promise((found) => {
    const look = () => {
        const page = document.querySelector("iframe").contentDocument;
        const element = page.querySelector("#operations-tasks-TASK " + selector);
        element ? found(element) : setTimeout(look, 50);
    };
    look();
});
(async () => {
    (await wait(".opblock-summary-control")).click();
    (await wait(".btn.execute")).click();
    document.title = (await wait(".live-responses-table tr.response .response-col_status")).textContent;
})();
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the bundled models, and for each task a page that uses /docs in a frame; give the address."""
    api = create_app(Settings(models_dir=ROOT / "models"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/use/"):
            script = SCRIPT.replace("TASK", scope["path"].removeprefix("/use/"))
            page = f'<iframe src="/docs" width="1200" height="2000"></iframe><script>{script}</script>'
            await HTMLResponse(page)(scope, receive, send)
        else:
            await api(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("task", TASKS)
def test_try_it_out_succeeds(task: str, address: str, tmp_path: Path) -> None:
    dom = browse(f"{address}/use/{task}", tmp_path / "profile", "--dump-dom")
    title = dom.partition("<title>")[2].partition("</title>")[0]
    assert title.strip().startswith("200"), title or "the page never answered"
