"""
The routes of shared memory, which the OpenAPI document leaves out: only clients of Triton use them.

Source: Triton, "Shared-Memory Extension"
"""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Depends, FastAPI

from app.api.current import CurrentState
from app.api.v2.routes import Content
from app.errors import MalformedBody, Refused
from app.formats.json_body import load
from app.formats.shared_memory import Regions

EXAMPLE = '{"key": "/name", "offset": 0, "byte_size": 3136}'
CUDA_REFUSAL = "CUDA shared memory is not offered, since models run on the CPU: use system shared memory"

router = APIRouter(prefix="/v2", include_in_schema=False)


def regions(state: CurrentState) -> Regions:
    """Return the regions. Raises Refused, before the body is read, unless shared memory is offered."""
    state.regions.check_offered()
    return state.regions


CurrentRegions = Annotated[Regions, Depends(regions)]


@router.get("/systemsharedmemory/status")
async def all_regions(regions: CurrentRegions) -> list[dict[str, Any]]:
    """Return the registered regions of shared memory. Refused unless HOURGLASS_SHARED_MEMORY is set."""
    return [region._asdict() for region in regions.status()]


@router.get("/systemsharedmemory/region/{name}/status")
async def one_region(regions: CurrentRegions, name: str) -> list[dict[str, Any]]:
    """Return a registered region of shared memory, in a list of one."""
    return [region._asdict() for region in regions.status(name)]


@router.post("/systemsharedmemory/region/{name}/register")
async def register(regions: CurrentRegions, name: str, content: Content) -> list[dict[str, Any]]:
    """
    Register a part of a file in /dev/shm, and return it in a list of one.

    The body is such as `{"key": "/name", "offset": 0, "byte_size": 3136}`, with the name that shm_open gets.
    """
    body: Any = load(content, EXAMPLE)
    members = body if isinstance(body, dict) else {}
    key, offset, size = members.get("key"), members.get("offset", 0), members.get("byte_size")
    if not isinstance(key, str) or type(offset) is not int or type(size) is not int:
        raise MalformedBody(f"expected an object such as {EXAMPLE}, got {content[:60]!r}")
    regions.register(name, key, offset, size)
    return [region._asdict() for region in regions.status(name)]


@router.post("/systemsharedmemory/region/{name}/unregister")
async def unregister(regions: CurrentRegions, name: str) -> list[dict[str, Any]]:
    """Forget a region, and return those that are left. Its file stays."""
    regions.unregister(name)
    return [region._asdict() for region in regions.status()]


@router.post("/systemsharedmemory/unregister")
async def unregister_all(regions: CurrentRegions) -> list[dict[str, Any]]:
    """Forget all regions, and return those that are left: none."""
    regions.unregister()
    return []


@router.api_route("/cudasharedmemory/{rest:path}", methods=["GET", "POST"], response_model=None)
async def refuse_cuda() -> NoReturn:
    """Refuse what models on the CPU cannot use."""
    raise Refused(CUDA_REFUSAL)


def install(app: FastAPI) -> None:
    """Add the routes of shared memory to the application."""
    app.include_router(router)
