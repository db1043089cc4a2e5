"""The state of one application: its settings, the catalog of models, and its threads."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request

from app.engine.autoencoder import Autoencoder
from app.engine.batcher import Batcher
from app.engine.catalog import Catalog
from app.engine.offload import Offload
from app.engine.process import available_cores
from app.engine.repository import load_repository
from app.engine.served import RowLimits, ServedModel
from app.server.metrics import Metrics
from app.settings import Settings
from app.tasks import supported_tasks


class State:
    """
    Everything that routes share.

    `catalog` is the one reference to the served models; a reload assigns the next catalog to it.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        batcher: Batcher,
        offload: Offload,
        threads: int,
        metrics: Metrics,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.offload = offload
        self.threads = threads
        """The number of models that run at once."""
        self.ready = False
        """True between start-up and shutdown."""
        self.metrics = metrics
        self._batcher = batcher
        metrics.add_gauge("hourglass_queue_rows", "Rows accepted and not yet answered.", lambda: batcher.rows)
        metrics.describe_models(self._served_models)

    @classmethod
    def load(cls, settings: Settings, metrics: Metrics | None = None) -> State:
        """
        Load, check and warm up every valid model of the repository. Raises NoModels.

        Each run has one thread and several runs happen at once: for small models that serves more requests than one run
        on several threads.
        """
        metrics = metrics or Metrics()
        return cls.serve(settings, load_repository(settings.models_dir, 1, metrics.count_load), metrics)

    @classmethod
    def serve(cls, settings: Settings, autoencoders: Iterable[Autoencoder], metrics: Metrics | None = None) -> State:
        """Return the state of an application that serves these models."""
        metrics = metrics or Metrics()
        threads = settings.threads or max(1, available_cores() // settings.workers)
        queue_seconds = settings.queue_seconds or math.inf
        batcher = Batcher(threads, settings.max_queued_rows, queue_seconds, share=settings.batching)
        batcher.on_run = metrics.count_run
        offload = Offload(threads)
        limits = RowLimits(settings.max_rows, settings.max_numbers)
        models = [
            ServedModel(autoencoder, supported_tasks(autoencoder.manifest), batcher, offload, limits)
            for autoencoder in autoencoders
        ]
        return cls(settings, Catalog(models), batcher, offload, threads, metrics)

    def close(self) -> None:
        """Finish the accepted work, then end the threads."""
        self.ready = False
        self._batcher.close()
        self.offload.close()

    def _served_models(self) -> Iterable[tuple[str, str, str]]:
        """Yield the name, version and family of each served version."""
        for model in self.catalog.all_versions():
            yield model.manifest.name, str(model.manifest.version), model.manifest.family


def current_state(request: Request) -> State:
    """Return the state of the application that received the request."""
    state: State = request.app.state.hourglass
    return state


CurrentState = Annotated[State, Depends(current_state)]
