"""The composition root: settings in, application out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from app.api.access import grpc_policy, read_policy
from app.api.framework import Framework, later_routes
from app.api.probes import probe_endpoints
from app.api.shortcut import Shortcut
from app.api.state import State
from app.api.v1.endpoint import task_endpoints
from app.api.v2.infer import InferEndpoint
from app.distribution import installed_version
from app.engine.process import limit_heap, settle
from app.logs import flush_log, installed_writer, line_writer
from app.server.connection import Connection
from app.server.counters import Counters, inherited_folder
from app.server.gate import Gate
from app.server.guard.guard import Guard, Policy
from app.server.lifespan import Lifespan
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
LOAD_SECONDS = 1.0
"""Seconds between the start and the import of FastAPI, which competes with requests: the first ones come before it."""


def create_app(settings: Settings | None = None, metrics: Metrics | None = None) -> Gate:
    """Return the application, with every valid model of the repository loaded, checked and warm. Raises NoModels."""
    return build_app(State.load(settings or Settings(), metrics))


def build_app(state: State, after_loading: Callable[[], object] = lambda: None) -> Gate:
    """
    Return the application over a state: the gate, then the short way to the tasks and probes, then FastAPI.

    FastAPI is loaded soon after the start; `after_loading` is called on the thread that loaded it.
    """
    write_line = line_writer()
    request_log = RequestLog(write_line) if write_line else None
    traces = counted_traces(state)
    tasks, infer = task_endpoints(state), InferEndpoint(state)

    framework = later_routes(state, tasks, infer, after_loading)
    shared = (framework.translate, state.lifecycle, state.metrics, request_log, state.budget, traces)

    def gate(app: Guard) -> Gate:
        return Gate(app, *shared)

    policy = read_policy(state.settings)
    if state.settings.grpc_port is not None:
        add_grpc(state, policy, gate)
    record = partial(record_refusal, state.metrics, request_log)
    inner = Lifespan(framework, partial(live, state, framework, traces, record))
    return gate(Guard(Shortcut(inner, tasks, infer, probe_endpoints(state)), policy))


@asynccontextmanager
async def live(
    state: State, framework: Framework, traces: Traces | None, record: Callable[[Refusal], None]
) -> AsyncIterator[dict[str, object]]:
    """Start everything that runs beside requests, and end it after the last one."""
    state.start()
    state.metrics.start()
    loading = asyncio.get_running_loop().call_later(LOAD_SECONDS, framework.load)
    yield {WATCH: ConnectionWatch(connection_limits(state.settings), state.budget, record)}
    loading.cancel()
    await framework.close()
    state.close()
    if traces is not None:
        traces.close()
    state.metrics.stop()
    flush_log()


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

    Its metrics are those of all workers, if its parent shares them. The process keeps its memory small. Raises
    NoModels.
    """
    limit_heap()
    metrics = Metrics(Counters(inherited_folder()))
    if writer := installed_writer():
        metrics.add_counter("hourglass_log_lines_dropped", "Lines that the log lost.", lambda: writer.dropped)
    app = build_app(State.load(settings, metrics), after_loading=settle)
    settle()
    return app
