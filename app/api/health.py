"""Probes. They need no model and are never queued behind one."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.api.schemas import Health
from app.api.service import CurrentService

router = APIRouter(tags=["health"])


@router.get("/livez", operation_id="live", summary="Does the process answer")
@router.head("/livez", include_in_schema=False)
async def live() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Can it serve",
    responses={503: {"model": Health, "description": "Not yet, or no more."}},
)
@router.head("/readyz", include_in_schema=False)
async def ready(service: CurrentService, response: Response) -> Health:
    """The models are loaded, checked and warm, and the server is not shutting down."""
    if service.ready:
        return Health(status="ok")
    response.status_code = 503
    return Health(status="not ready")
