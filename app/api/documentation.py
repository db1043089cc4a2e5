"""/openapi.json and /docs. The page's assets are ours, so that it works without internet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from app.api.openapi import build_openapi
from app.engine.repository import ModelRepository

ASSETS = Path(__file__).parent / "static" / "swagger-ui"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home() -> Response:
    """Lead a browser to the documentation."""
    return RedirectResponse("docs")


@router.get("/docs")
async def docs() -> Response:
    """Swagger UI over /openapi.json."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Hourglass",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon-32x32.png",
        swagger_ui_parameters={"tryItOutEnabled": True, "defaultModelsExpandDepth": -1, "validatorUrl": None},
    )


@router.get("/favicon.ico")
async def favicon() -> Response:
    """What browsers ask for by themselves."""
    return FileResponse(ASSETS / "favicon-32x32.png", media_type="image/png")


def install(app: FastAPI, repository: ModelRepository, version: str) -> None:
    """Give the application its OpenAPI document and the page that shows it."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = build_openapi(app, repository, version)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI's documentation names
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=ASSETS))
