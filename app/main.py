"""The composition root: settings in, application out."""

from __future__ import annotations

import gc
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from app.api import documentation, health, problems, tasks, v1, v2
from app.api.connections import Connection
from app.api.service import Service
from app.api.tasks import Application
from app.engine.allocator import keep_heap_small, return_memory
from app.engine.batching import Batcher
from app.engine.repository import ModelRepository
from app.engine.threads import available_cores
from app.logs import configure_logging
from app.settings import Settings

PROTOCOL = Connection
"""What uvicorn is to speak HTTP with."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """
    The application, with every valid model of the repository loaded, checked and warm.

    A session has one thread and several run at once: for models of this size that serves more than one run on
    several threads. Raises NoModels.
    """
    settings = settings or Settings()
    repository = ModelRepository.load(settings.models_dir, threads=1)
    cores = settings.threads or max(1, available_cores() // settings.workers)
    batcher = Batcher(cores, settings.max_queued_rows, settings.queue_seconds or math.inf, share=settings.batching)
    service = Service(settings, repository, batcher, cores)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.ready = True
        yield
        service.close()

    app = Application(
        title="Hourglass",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.service = service
    problems.install(app)
    app.include_router(v1.router)
    tasks.install(app, service)
    v2.install(app, service)
    app.include_router(health.router)
    documentation.install(app, repository, version("hourglass"))
    return app


def create_worker() -> FastAPI:
    """The application of one of several processes, each of which sets up its own log."""
    settings = Settings()
    configure_logging(settings.log_level)
    return create_process(settings)


def create_process(settings: Settings) -> FastAPI:
    """
    The application of a process that does nothing else.

    Its memory is kept small, and its garbage collector is told that what is loaded stays: to look through it takes tens
    of milliseconds. Raises NoModels.
    """
    keep_heap_small()
    app = create_app(settings)
    gc.collect()
    gc.freeze()
    return_memory()
    return app
