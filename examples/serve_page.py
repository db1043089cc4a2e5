"""
Serve browser.html and the API under one origin, so that the page's scripts may read the answers.

Run `.venv/bin/python examples/serve_page.py`, then open http://127.0.0.1:8000. Takes the settings of the server.
"""

from pathlib import Path

import uvicorn
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from app.main import create_app
from app.settings import Settings

PAGE = Path(__file__).with_name("browser.html")


def main() -> None:
    """Run the server until it is stopped."""
    settings = Settings()
    api = create_app(settings)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["path"] == "/"
        await (FileResponse(PAGE) if is_page else api)(scope, receive, send)

    uvicorn.run(application, host=settings.host, port=settings.port)


if __name__ == "__main__":
    main()
