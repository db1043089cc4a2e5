"""
The routes of probes and metrics. They need no model and never wait behind one.

Most probes take the short way to `app.api.probes`; these routes document them, and answer those below a mount.

Decorators register from the bottom up: the route for GET and HEAD answers, so that its Allow header names both, and the
route above it is documented.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api.current import CurrentState
from app.api.probes import liveness, readiness
from app.api.v1.schemas import Health

router = APIRouter(tags=["health"])


@router.get(
    "/livez",
    operation_id="live",
    summary="Check liveness",
    responses={503: {"model": Health, "description": "Stuck."}},
)
@router.api_route("/livez", methods=["GET", "HEAD"], include_in_schema=False)
async def live(state: CurrentState, response: Response) -> Health:
    """Answer 200 unless a run of a model is past its limit and could not be stopped: restart the process then."""
    response.status_code, word = liveness(state)
    return Health(status=word)


@router.get(
    "/readyz",
    operation_id="ready",
    summary="Check readiness",
    responses={503: {"model": Health, "description": "Not ready."}},
)
@router.api_route("/readyz", methods=["GET", "HEAD"], include_in_schema=False)
async def ready(state: CurrentState, response: Response) -> Health:
    """Answer 200 if the models are loaded, checked and warm, or else 503. From SIGTERM on it is 503."""
    response.status_code, word = readiness(state)
    return Health(status=word)


@router.get("/metrics", include_in_schema=False)
def metrics(state: CurrentState, request: Request) -> Response:
    """Return the metrics of all workers for Prometheus. It is no coroutine: a thread adds up and writes the numbers."""
    content, media_type = state.metrics.render(request.headers.get("accept", ""))
    return Response(content, headers={"Content-Type": media_type})
