"""The pages /docs and /redoc over /openapi.json. The server has their assets, so they work without internet."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from app.api.current import CurrentState
from app.api.state import State
from app.engine.catalog import Catalog

STATIC = Path(__file__).parent / "static"
SWAGGER_UI = STATIC / "swagger-ui"
REDOC = STATIC / "redoc"
REDOC_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Hourglass</title>
<link rel="icon" href="docs/assets/favicon-32x32.png">
<style>body { margin: 0 }</style>
</head>
<body>
<redoc spec-url="openapi.json"
  theme='{"typography": {"fontFamily": "sans-serif", "headings": {"fontFamily": "sans-serif"}}}'></redoc>
<script src="redoc/assets/redoc.standalone.js"></script>
</body>
</html>
"""
"""A page of our own: FastAPI's loads fonts and the script from other hosts."""


@cache
def swagger_page() -> str:
    """Return FastAPI's page with Swagger UI."""
    from fastapi.openapi.docs import get_swagger_ui_html  # a start need not wait for what few requests need

    return bytes(
        get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Hourglass",
            swagger_js_url="docs/assets/swagger-ui-bundle.js",
            swagger_css_url="docs/assets/swagger-ui.css",
            swagger_favicon_url="docs/assets/favicon-32x32.png",
            swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": -1, "validatorUrl": None},
        ).body
    ).decode()


@cache
def content_policy(page: str) -> dict[str, str]:
    """
    Return the header that lets a browser run only the scripts of a page and of this server.

    Nothing is loaded from other hosts, even if an asset asks for it, and no other page may show this one in a frame.
    Scripts in the page are named by their digests. Both pages write styles into their elements, and Redoc's search runs
    in a worker from a blob. Source: W3C, "Content Security Policy Level 3".
    """
    scripts = [sha256(script.encode()).digest() for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL)]
    sources = " ".join(["'self'", *(f"'sha256-{b64encode(digest).decode()}'" for digest in scripts)])
    return {
        "Content-Security-Policy": f"default-src 'self'; script-src {sources}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; worker-src blob:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    }


router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(state: CurrentState) -> Response:
    """Redirect to the documentation."""
    root_path = state.settings.root_path
    return RedirectResponse(f"{root_path}/docs" if root_path else "docs")


@router.get("/docs")
async def docs() -> Response:
    """Show the document in Swagger UI, with requests to try."""
    return HTMLResponse(swagger_page(), headers=content_policy(swagger_page()))


@router.get("/redoc")
async def redoc() -> Response:
    """Show the document in Redoc, for reading."""
    return HTMLResponse(REDOC_PAGE, headers=content_policy(REDOC_PAGE))


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Return the icon that browsers request unasked."""
    return FileResponse(SWAGGER_UI / "favicon-32x32.png", media_type="image/png")


def install(app: FastAPI, state: State, version: str) -> None:
    """Add the OpenAPI document and its pages to the application."""

    def build(catalog: Catalog) -> bytes:
        from app.api.docs.document import build_document  # a start need not wait for it

        return bytes(JSONResponse(build_document(app, catalog, version, state.settings)).body)

    async def openapi(_: Request) -> Response:
        catalog = state.catalog
        limit = 1 if catalog.has_view(build) else 0  # building it takes 0.3 s, too long for the event loop
        content = await state.offload.run(1, limit, lambda: catalog.view(build))
        return Response(content, media_type="application/json")

    app.add_route("/openapi.json", openapi, include_in_schema=False)
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=SWAGGER_UI))
    app.mount("/redoc/assets", StaticFiles(directory=REDOC))
