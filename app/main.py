"""The composition root: settings in, application out."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from app.api import health, problems
from app.api.access import grpc_policy, read_policy
from app.api.docs import pages
from app.api.shortcut import Shortcut
from app.api.state import State
from app.api.v1 import routes as v1
from app.api.v2 import routes as v2
from app.api.v2.infer import InferEndpoint
from app.api.v2.shared_memory import routes as shared_memory
from app.distribution import installed_version
from app.engine.process import limit_heap, return_memory
from app.logs import flush_log, installed_writer, line_writer
from app.server.connection import Connection
from app.server.counters import Counters, inherited_folder
from app.server.gate import Gate
from app.server.guard.guard import Guard, Policy
from app.server.limits import WATCH, ConnectionLimits, ConnectionWatch
from app.server.metrics import Metrics
from app.server.refusals import Refusal
from app.server.request_log import RequestLog
from app.server.traces.start import start_traces
from app.settings import Settings

if TYPE_CHECKING:
    from app.server.traces.spans import Traces

PROTOCOL = Connection
"""The HTTP protocol class for uvicorn."""


def create_app(settings: Settings | None = None, metrics: Metrics | None = None) -> Gate:
    """Return the application, with every valid model of the repository loaded, checked and warm. Raises NoModels."""
    return build_app(State.load(settings or Settings(), metrics))


def build_app(state: State) -> Gate:
    """Return the application over a state: the gate, then the short way to the tasks, then FastAPI."""

    traces = counted_traces(state)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        state.start()
        state.metrics.start()
        yield {WATCH: ConnectionWatch(connection_limits(state.settings), state.budget, record)}
        state.close()
        if traces is not None:
            traces.close()
        state.metrics.stop()
        flush_log()

    write_line = line_writer()
    request_log = RequestLog(write_line) if write_line else None
    record = partial(record_refusal, state.metrics, request_log)

    app = new_fastapi(lifespan)
    app.state.hourglass = state
    tasks, infer = v1.task_endpoints(state), InferEndpoint(state)
    problems.install(app)
    v1.install(app, tasks)
    v2.install(app, infer)
    shared_memory.install(app)
    app.include_router(health.router)
    pages.install(app, state, installed_version())
    shared = (problems.translate, state.lifecycle, state.metrics, request_log, state.budget, traces)

    def gate(app: Guard) -> Gate:
        return Gate(app, *shared)

    policy = read_policy(state.settings)
    if state.settings.grpc_port is not None:
        add_grpc(state, policy, gate)
    return gate(Guard(Shortcut(app, tasks, infer), policy))


def new_fastapi(lifespan: Callable[[FastAPI], AbstractAsyncContextManager[dict[str, object]]]) -> FastAPI:
    """Return FastAPI without what it would add by itself."""
    return FastAPI(
        title="Hourglass",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # pages.install adds the route
        redirect_slashes=False,
        # the gate has the spans: those of FastAPI would be a second one for each request, and none for the tasks
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )


def add_grpc(state: State, policy: Policy, gate: Callable[[Guard], Gate]) -> None:
    """Let a process listen for gRPC, too, behind a gate of its own with the same metrics, log and budget."""
    from app.api.v2.grpc.methods import Methods  # these need the packages of the extra
    from app.api.v2.grpc.server import GrpcServer

    methods = Methods(state)
    app = gate(Guard(methods, grpc_policy(policy)))
    state.lifecycle.companions.append(GrpcServer(app, methods.refuse, state))


def counted_traces(state: State) -> Traces | None:
    """Start traces if the settings ask for them, and register the spans that they lose as a metric."""
    traces = start_traces(state.settings.traces, installed_version(), state.settings.root_path)
    if traces is not None:
        state.metrics.add_counter("hourglass_spans_dropped", "Spans that were not exported.", lambda: traces.dropped)
    return traces


def record_refusal(metrics: Metrics, request_log: RequestLog | None, refusal: Refusal) -> None:
    """Count a request that a connection refused, and log it."""
    metrics.count_refused(refusal.error)
    if request_log is not None:
        request_log.add_refusal(refusal)


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return the limits of connections among the settings."""
    return ConnectionLimits(**{field.name: getattr(settings, field.name) for field in fields(ConnectionLimits)})


def create_process(settings: Settings) -> Gate:
    """
    Return the application for a process that does nothing else.

    Its metrics are those of all workers, if its parent shares them. The process keeps its memory small. Its garbage
    collector ignores everything that is loaded, because a pass over it takes tens of milliseconds. Raises NoModels.
    """
    limit_heap()
    metrics = Metrics(Counters(inherited_folder()))
    if writer := installed_writer():
        metrics.add_counter("hourglass_log_lines_dropped", "Lines that the log lost.", lambda: writer.dropped)
    app = create_app(settings, metrics)
    gc.collect()
    gc.freeze()
    return_memory()
    return app
