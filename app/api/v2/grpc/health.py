"""The service of health checks of gRPC, as Kubernetes and load balancers call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from app.api.state import State
from app.errors import MAX_REPEATED_CHARACTERS, NotFound
from app.server.grpc_paths import SERVICE

SERVICES = ("", SERVICE.strip("/"))
"""Services that have a health: the whole server, and the one of inference."""
POLL_SECONDS = 0.5
"""The age that a health may have when a watching client learns of it."""


def serving_status(state: State) -> int:
    """Return the health of a process, which is that of all of its services."""
    response = health_pb2.HealthCheckResponse
    return int(response.SERVING if state.ready else response.NOT_SERVING)


async def check(request: Any, state: State) -> Any:
    """Return the health of a service. Raises NotFound."""
    if request.service not in SERVICES:
        shown = request.service[:MAX_REPEATED_CHARACTERS]
        raise NotFound(f"expected no service, or {SERVICES[1]}, got {shown!r}")
    return health_pb2.HealthCheckResponse(status=serving_status(state))


async def list_services(_request: Any, state: State) -> Any:
    """Return the health of all services."""
    health = health_pb2.HealthCheckResponse(status=serving_status(state))
    return health_pb2.HealthListResponse(statuses=dict.fromkeys(SERVICES, health))


check_health = health_pb2.HealthCheckRequest, check
list_health = health_pb2.HealthListRequest, list_services


def watch_handler(state: State, ending: asyncio.Event) -> Any:
    """Return the handler of Watch, which sends the health whenever it changes, until the server ends."""

    async def watch(request: Any, _context: Any) -> AsyncIterator[Any]:
        sent: int | None = None
        while True:
            ended, status = ending.is_set(), serving_status(state)
            if request.service not in SERVICES:
                status = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
            if status != sent:
                yield health_pb2.HealthCheckResponse(status=status)
                sent = status
            if ended:
                return
            try:
                await asyncio.wait_for(ending.wait(), POLL_SECONDS)
            except TimeoutError:
                continue

    return grpc.unary_stream_rpc_method_handler(
        watch,
        request_deserializer=health_pb2.HealthCheckRequest.FromString,
        response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
    )
