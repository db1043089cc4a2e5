"""
How every task's request is answered, whichever route led to it.

FastAPI documents these routes, and solves the dependencies of the others. Of a model whose run takes 40 µs, its solver,
middleware and routing would be most of a request. A task's request needs the same four things every time: the model,
the options, the array and the reply. So they are found here, in one function, and `Application` leads a task's path
straight to it. The routes that FastAPI knows lead to the same function, for what reaches them below a mount.
"""

from __future__ import annotations

import inspect
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.api.bodies import Member, read_array, read_body, refuse_body, taken
from app.api.disconnects import Watch
from app.api.negotiation import choose, require
from app.api.options import Options, read_options
from app.api.problems import failure
from app.api.replies import Answer, Reply, offered
from app.api.schemas import Answer as AnswerSchema
from app.api.service import ModelName, Service, VersionNumber
from app.api.tracing import Trace, trace_of
from app.api.whole_answers import uvicorns_cycle, write_whole
from app.engine.served import ServedModel
from app.engine.times import RUN_TIMES
from app.errors import UnsupportedTask
from app.manifest import Task

Array = npt.NDArray[np.float32]
Endpoint = Callable[..., Awaitable[Answer]]
PREFIX = ["", "v1", "models"]


@dataclass(frozen=True)
class TaskSpec:
    """A task on the wire: what its route takes and gives, and the function that does it."""

    task: Task
    endpoint: Endpoint
    """Takes a ServedModel, the options, what was sent (where something is), and a Reply."""
    options: type[Options]
    takes: Member | None
    gives: Member
    answer: type[AnswerSchema]
    """The shape of the answer in JSON, for the OpenAPI document."""


TASKS: dict[str, TaskSpec] = {}


def task(
    name: Task, *, takes: Member | None, gives: Member, answer: type[AnswerSchema]
) -> Callable[[Endpoint], Endpoint]:
    """Register a task's function, whose annotation of `options` says which options the route has."""

    def register(endpoint: Endpoint) -> Endpoint:
        options = inspect.get_annotations(endpoint, eval_str=True)["options"]
        TASKS[name] = TaskSpec(name, endpoint, options, takes, gives, answer)
        return endpoint

    return register


class Bound(NamedTuple):
    """A model that a task can be asked of, and the media types of its bodies and answers."""

    model: ServedModel
    taken: tuple[str, ...]
    offered: tuple[str, ...]


class TaskEndpoint:
    """One task of one application, as an ASGI application."""

    def __init__(self, spec: TaskSpec, service: Service, watch: Watch) -> None:
        self.spec = spec
        self._service = service
        self._watch = watch
        self._defaults = spec.options()
        self._bound: dict[tuple[str, str | None], Bound] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that FastAPI's router led here."""
        path = scope["path_params"]
        await self.answer(path["model"], path.get("version"), scope, receive, send)

    async def answer(
        self,
        name: str,
        version: str | None,
        scope: Scope,
        receive: Receive,
        send: Send,
        cycle: RequestResponseCycle | None = None,
    ) -> None:
        """
        Answer a request of a model; a client that has gone gets nothing, and nothing more is computed for it.

        A cycle is uvicorn's, where nothing stands between it and `send` but the trace of the request.
        """
        trace = trace_of(scope)
        try:
            answer = await self._answer(name, version, scope, receive, trace)
        except CancelledError:
            if not self._watch.has_gone():
                raise
            return
        except Exception as error:  # each becomes a problem document; what is not a ServiceError is a bug
            await failure(Request(scope), error)(scope, receive, send)
            return
        if cycle:
            headers, together = [*answer.headers, *trace.announcements()], self._watch.anybody_waits()
            if write_whole(cycle, headers, answer.content, together=together):
                return
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def _answer(self, name: str, version: str | None, scope: Scope, receive: Receive, trace: Trace) -> Answer:
        spec, service = self.spec, self._service
        bound = self._bound.get((name, version)) or self._bind(name, version)
        query, headers = scope["query_string"], trace.headers
        options = read_options(spec.options, query) if query else self._defaults
        media = choose(headers.get(b"accept"), bound.offered)
        if spec.takes:
            sent = require(headers.get(b"content-type"), bound.taken)
        content = await read_body(receive, headers, service)
        reply = Reply(bound.model.model, service, media, spec.gives, trace)
        task = self._watch.add(receive)
        try:
            if spec.takes is None:
                refuse_body(content)
                return await spec.endpoint(bound.model, options, reply)
            began = perf_counter()
            content_type = headers.get(b"content-type", b"")
            rows = await read_array(content, sent, content_type, spec.takes, bound.model.model, service)
            trace.decode = perf_counter() - began
            return await spec.endpoint(bound.model, options, rows, reply)
        finally:
            self._watch.remove(task)

    def _bind(self, name: str, version: str | None) -> Bound:
        """What is known of a model, found once. Raises UnknownModel, UnknownVersion or UnsupportedTask."""
        model = self._service.model(name, version)
        try:
            model.require(self.spec.task)
        except UnsupportedTask as error:
            able = [other.manifest.name for other in self._service.repository.able_to(self.spec.task)]
            raise UnsupportedTask(f"{error.detail}; models that can: {', '.join(able) or 'none'}") from None
        bound = Bound(model, taken(model.model, self.spec.takes), offered(model.model, self.spec.gives))
        self._bound[name, version] = bound
        return bound


class TaskRoute(APIRoute):
    """A route that FastAPI documents and TaskEndpoint answers."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.app = endpoint.answered_by  # type: ignore[attr-defined]


class Application(FastAPI):
    """FastAPI, with the short way to the tasks: `/v1/models/{model}[/versions/{version}]/{task}`."""

    tasks: dict[str, TaskEndpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await super().__call__(scope, receive, send)
        trace = Trace(scope)
        RUN_TIMES.set(trace)
        cycle = uvicorns_cycle(send)
        send = trace.announcing(send)
        if scope["method"] == "POST":
            parts = scope["path"].split("/")
            task = self.tasks.get(parts[-1])
            if task is not None and parts[:3] == PREFIX:
                if len(parts) == 5:
                    return await task.answer(parts[3], None, scope, receive, send, cycle)
                if len(parts) == 7 and parts[4] == "versions":
                    return await task.answer(parts[3], parts[5], scope, receive, send, cycle)
        return await super().__call__(scope, receive, send)


def install(app: Application, service: Service) -> None:
    """Give the application the tasks, each on two routes: of a model's default version, and of one by its number."""
    watch = Watch()
    app.tasks = {name: TaskEndpoint(spec, service, watch) for name, spec in TASKS.items()}
    for name, endpoint in app.tasks.items():
        spec = endpoint.spec
        for version, tag in (("", "tasks"), ("/versions/{version}", "tasks of one version")):
            app.router.add_api_route(
                f"/v1/models/{{model}}{version}/{name}",
                documented(endpoint, versioned=bool(version)),
                methods=["POST"],
                route_class_override=TaskRoute,
                operation_id=f"{name}_version" if version else name,
                tags=[tag],
                summary=summary(spec.endpoint),
                responses={200: {"model": spec.answer, "description": "The arrays, in the accepted format."}},
                response_class=Response,
                response_model=None,
                openapi_extra={
                    "x-hourglass": {"task": name, "gives": endpoint.spec.gives, "takes": endpoint.spec.takes}
                },
            )


def documented(endpoint: TaskEndpoint, versioned: bool) -> Callable[..., Any]:
    """A function for FastAPI to document: the parameters in the path, the options, and the docstring of the task."""

    def route() -> None:
        raise AssertionError("TaskRoute answers")

    spec = endpoint.spec
    parameters: dict[str, Any] = {"model": ModelName, **({"version": VersionNumber} if versioned else {})}
    parameters["options"] = Annotated[spec.options, Query()]
    kind = inspect.Parameter.KEYWORD_ONLY
    signature = inspect.Signature([inspect.Parameter(name, kind, annotation=a) for name, a in parameters.items()])
    route.__signature__ = signature  # type: ignore[attr-defined]
    route.__doc__ = spec.endpoint.__doc__
    route.answered_by = endpoint  # type: ignore[attr-defined]
    return route


def summary(endpoint: Callable[..., Any]) -> str:
    """The first sentence of an endpoint's docstring."""
    return (endpoint.__doc__ or "").strip().partition("\n")[0].rstrip(".")
