"""/openapi.json, /docs and /redoc. The pages' assets are ours, so that they work without internet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from app.api.openapi import build_openapi
from app.engine.repository import ModelRepository

STATIC = Path(__file__).parent / "static"
SWAGGER_UI = STATIC / "swagger-ui"
REDOC = STATIC / "redoc"
POLICY = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; worker-src blob:"
}
"""Nothing from another host, also where an asset would ask for it. Redoc's search runs in a worker made of a blob."""
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
"""FastAPI's own page loads fonts and the script from other hosts."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> Response:
    """Lead a browser to the documentation."""
    return RedirectResponse("docs")


@router.get("/docs")
async def docs() -> Response:
    """Swagger UI over /openapi.json."""
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
    """Redoc over /openapi.json: to read, where /docs is to try."""
    return HTMLResponse(REDOC_PAGE, headers=POLICY)


@router.get("/favicon.ico")
async def favicon() -> Response:
    """What browsers ask for by themselves."""
    return FileResponse(SWAGGER_UI / "favicon-32x32.png", media_type="image/png")


def install(app: FastAPI, repository: ModelRepository, version: str) -> None:
    """Give the application its OpenAPI document and the pages that show it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app, repository, version)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI's documentation names
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=SWAGGER_UI))
    app.mount("/redoc/assets", StaticFiles(directory=REDOC))
