"""FastAPI with every route: `app.api.framework` imports this module after the start."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI

from app.api import health, problems
from app.api.docs import pages
from app.api.state import State
from app.api.v1 import routes as v1
from app.api.v1.endpoint import TaskEndpoint
from app.api.v2 import routes as v2
from app.api.v2.infer import InferEndpoint
from app.api.v2.shared_memory import routes as shared_memory
from app.distribution import installed_version


def build_routes(state: State, tasks: Mapping[str, TaskEndpoint], infer: InferEndpoint) -> FastAPI:
    """Return FastAPI with the routes of every folder."""
    app = new_fastapi()
    app.state.hourglass = state
    problems.install(app)
    v1.install(app, tasks)
    v2.install(app, infer)
    shared_memory.install(app)
    app.include_router(health.router)
    pages.install(app, state, installed_version())
    return app


def new_fastapi() -> FastAPI:
    """Return FastAPI without what it would add by itself."""
    return FastAPI(
        title="Hourglass",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # pages.install adds the route
        redirect_slashes=False,
        # the gate has the spans: those of FastAPI would be a second one for each request, and none for the tasks
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
