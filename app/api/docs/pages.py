"""The pages /docs and /redoc over /openapi.json. The server has their assets, so they work without internet."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from app.api.docs.document import build_document
from app.api.state import State
from app.engine.catalog import Catalog

STATIC = Path(__file__).parent / "static"
SWAGGER_UI = STATIC / "swagger-ui"
REDOC = STATIC / "redoc"
POLICY = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src blob:"
}
"""Browsers load nothing from other hosts, even if an asset asks for it. Redoc's search runs in a worker from a blob."""
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

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> Response:
    """Redirect to the documentation."""
    return RedirectResponse("docs")


@router.get("/docs")
async def docs() -> Response:
    """Show the document in Swagger UI, with requests to try."""
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Hourglass",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon-32x32.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": -1, "validatorUrl": None},
    )
    page.headers.update(POLICY)
    return page


@router.get("/redoc")
async def redoc() -> Response:
    """Show the document in Redoc, for reading."""
    return HTMLResponse(REDOC_PAGE, headers=POLICY)


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Return the icon that browsers request unasked."""
    return FileResponse(SWAGGER_UI / "favicon-32x32.png", media_type="image/png")


def install(app: FastAPI, state: State, version: str) -> None:
    """Add the OpenAPI document and its pages to the application."""

    def build(catalog: Catalog) -> bytes:
        return bytes(JSONResponse(build_document(app, catalog, version)).body)

    async def openapi(_: Request) -> Response:
        catalog = state.catalog
        limit = 1 if catalog.has_view(build) else 0  # building it takes 0.3 s, too long for the event loop
        content = await state.offload.run(1, limit, lambda: catalog.view(build))
        return Response(content, media_type="application/json")

    app.add_route("/openapi.json", openapi, include_in_schema=False)
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=SWAGGER_UI))
    app.mount("/redoc/assets", StaticFiles(directory=REDOC))
