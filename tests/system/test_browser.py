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
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.state import State
from app.main import build_app
from app.settings import Settings
from tests.helpers.browser import browse

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.needs("chromium")

TASKS = ["encode", "decode", "reconstruct", "denoise", "generate", "interpolate", "score"]
ELEMENTS = {
    "docs": [f'id="operations-tasks-{task}"' for task in TASKS],
    "redoc": [f'id="tag/tasks/operation/{task}"' for task in TASKS],
}


@pytest.mark.parametrize("page", ELEMENTS)
def test_the_page_shows_every_route_and_needs_no_other_host(page: str, address: str, tmp_path: Path) -> None:
    log = tmp_path / "net.json"
    dom = browse(f"{address}/{page}", tmp_path / "profile", "--dump-dom", f"--log-net-log={log}")
    pictures = Path(os.environ.get("HOURGLASS_SCREENSHOTS", tmp_path))
    picture = pictures / f"{page}.png"
    browse(f"{address}/{page}", tmp_path / "profile", f"--screenshot={picture}", "--window-size=1200,2400")
    for text in ELEMENTS[page]:
        assert text in dom
    assert "Unable to render" not in dom
    assert "Failed to load" not in dom
    assert "Something went wrong" not in dom
    assert len(Image.open(picture).convert("L").getcolors(256) or []) > 20  # not a blank page
    urls = requested_urls(log, address)
    assert {f"{address}/{page}", f"{address}/openapi.json"} <= urls
    assert [url for url in urls if not url.startswith(f"{address}/")] == []


def requested_urls(log: Path, address: str) -> set[str]:
    """Return every URL that a page requested, with or without success. Chromium itself requests others, too."""
    document = json.loads(log.read_text())
    start = document["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = [event.get("params", {}) for event in document["events"] if event["type"] == start]
    ours = [one for one in requests if one.get("initiator") == address or one.get("request_type") == "main frame"]
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


def framed(app: ASGIApp) -> ASGIApp:
    """Return an application whose pages the pages of the same host may show in frames; else its policy stays."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, value.replace(b"frame-ancestors 'none'", b"frame-ancestors 'self'"))
                    for name, value in message["headers"]
                ]
            await send(message)

        await app(scope, receive, send_framed)

    return answer


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the bundled models, and for each task a page that holds /docs in a frame and tries the task there."""
    state = State.load(Settings(models_dir=ROOT / "models"))

    def use(request: Request) -> HTMLResponse:
        script = SCRIPT.replace("TASK", request.path_params["task"])
        return HTMLResponse(f'<iframe src="/docs" width="1200" height="2000"></iframe><script>{script}</script>')

    app = Starlette(routes=[Route("/use/{task}", use), Mount("/", framed(build_app(state)))])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    state.close()


@pytest.mark.parametrize("task", TASKS)
def test_try_it_out_succeeds(task: str, address: str, tmp_path: Path) -> None:
    dom = browse(f"{address}/use/{task}", tmp_path / "profile", "--dump-dom")
    title = dom.partition("<title>")[2].partition("</title>")[0]
    assert title.strip().startswith("200"), title or "the page never answered"
