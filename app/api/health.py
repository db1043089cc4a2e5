"""
Probes. They need no model and are never queued behind one.

The route for GET and HEAD is the one that answers, since decorators register from the bottom up, and its Allow header
names both; the one above it is documented.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.schemas import Health
from app.api.service import CurrentService

router = APIRouter(tags=["health"])


@router.get("/livez", operation_id="live", summary="Does the process answer")
@router.api_route("/livez", methods=["GET", "HEAD"], include_in_schema=False)
async def live() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Can it serve",
    responses={503: {"model": Health, "description": "Not yet."}},
)
@router.api_route("/readyz", methods=["GET", "HEAD"], include_in_schema=False)
async def ready(service: CurrentService, response: Response) -> Health:
    """The models are loaded, checked and warm. On SIGTERM the server stops listening before this could change."""
    if service.ready:
        return Health(status="ok")
    response.status_code = 503
    return Health(status="not ready")
