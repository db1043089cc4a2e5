"""FastAPI has the routes of every folder, and none of its own."""

from __future__ import annotations

from pathlib import Path

from starlette.routing import Route

from app.api.routes import build_routes
from app.api.state import State
from app.api.v1.endpoint import task_endpoints
from app.api.v2.infer import InferEndpoint
from app.settings import Settings


def test_the_routes_of_tasks_and_inference_lead_to_the_endpoints_of_the_short_way(tiny_models: Path) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    tasks, infer = task_endpoints(state), InferEndpoint(state)
    app = build_routes(state, tasks, infer)
    routes = [route for route in app.routes if isinstance(route, Route)]
    posts = {route.path: route.endpoint for route in routes if route.methods == {"POST"}}
    assert posts["/v1/models/{model}/encode"] is tasks["encode"]
    assert posts["/v1/models/{model}/versions/{version}/score"] is tasks["score"]
    assert posts["/v2/models/{name}/infer"] is infer
    assert app.state.hourglass is state
    state.close()


def test_fastapi_adds_no_pages_and_no_redirects(tiny_models: Path) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    app = build_routes(state, task_endpoints(state), InferEndpoint(state))
    assert (app.docs_url, app.redoc_url, app.openapi_url) == (None, None, None)
    assert not app.router.redirect_slashes
    state.close()
