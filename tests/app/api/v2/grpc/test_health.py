"""The service of health checks follows the readiness of the process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from starlette.testclient import TestClient

from app.api.state import State
from app.api.v2.grpc.health import check, list_services, watch_handler
from app.errors import NotFound

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
NAME = "inference.GRPCInferenceService"


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("service", ["", NAME])
def test_a_ready_server_is_serving(tiny_state: State, service: str) -> None:
    answer = asyncio.run(check(health_pb2.HealthCheckRequest(service=service), tiny_state))
    assert answer.status == SERVING


def test_a_service_that_is_not_here_is_not_found(tiny_state: State) -> None:
    with pytest.raises(NotFound, match=f"expected no service, or {NAME}, got 'nobody'"):
        asyncio.run(check(health_pb2.HealthCheckRequest(service="nobody"), tiny_state))


def test_all_services_are_listed(client: TestClient, tiny_state: State) -> None:
    assert client.get("/readyz").status_code == 200
    answer = asyncio.run(list_services(health_pb2.HealthListRequest(), tiny_state))
    assert {name: response.status for name, response in answer.statuses.items()} == {"": SERVING, NAME: SERVING}


def watch(state: State, service: str, *, drain: bool) -> list[int]:
    """Return the statuses that a watching client gets until the server ends."""

    async def watched() -> list[int]:
        ending = asyncio.Event()
        handler = watch_handler(state, ending)
        statuses: list[int] = []
        answers: Any = handler.unary_stream(health_pb2.HealthCheckRequest(service=service), None)
        async for answer in answers:
            statuses.append(answer.status)
            if drain and len(statuses) == 1:
                state.lifecycle.drain()
            else:
                ending.set()
        return statuses

    return asyncio.run(watched())


def test_a_watching_client_learns_of_the_drain(tiny_models: Any) -> None:
    from app.settings import Settings

    state = State.load(Settings(models_dir=tiny_models))
    state.lifecycle.start()
    assert watch(state, "", drain=True) == [SERVING, NOT_SERVING]
    assert watch(state, "nobody", drain=False) == [UNKNOWN]
    state.close()
