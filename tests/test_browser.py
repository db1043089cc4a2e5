"""The documentation pages in a real browser, with no other host to reach."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from PIL import Image

from app.main import create_app
from app.settings import Settings

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=20000",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")


def browse(address: str, profile: Path, *more: str) -> str:
    """What the browser prints."""
    command = [str(CHROMIUM), *OPTIONS, f"--user-data-dir={profile}", *more, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


TASKS = ["encode", "decode", "reconstruct", "denoise", "generate", "interpolate"]
SHOWN = {
    "docs": [f'id="operations-tasks-{task}"' for task in TASKS],
    "redoc": [f'id="tag/tasks/operation/{task}"' for task in TASKS],
}


@pytest.mark.parametrize("page", SHOWN)
def test_the_page_shows_every_route_and_asks_no_other_host(page: str, address: str, tmp_path: Path) -> None:
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
    """Every address that a page asked for, reached or not, by Chromium's log. The browser asks some hosts by itself."""
    written = json.loads(log.read_text())
    start = written["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    asked = [event.get("params", {}) for event in written["events"] if event["type"] == start]
    ours = [one for one in asked if one.get("initiator") == address or one.get("request_type") == "main frame"]
    return {one["url"] for one in ours}


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
    """The application over the bundled models, with a page for each task that holds /docs in a frame and uses it."""
    app = create_app(Settings(models_dir=ROOT / "models"))

    fastapi: FastAPI = app.app.app  # inside the gate and the shortcut

    @fastapi.get("/use/{task}", include_in_schema=False)
    def use(task: str) -> HTMLResponse:
        script = SCRIPT.replace("TASK", task)
        return HTMLResponse(f'<iframe src="/docs" width="1200" height="2000"></iframe><script>{script}</script>')

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
