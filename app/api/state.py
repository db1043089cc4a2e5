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
from app.settings import Settings
from app.tasks import supported_tasks


class State:
    """
    Everything that routes share.

    `catalog` is the one reference to the served models; a reload assigns the next catalog to it.
    """

    def __init__(self, settings: Settings, catalog: Catalog, batcher: Batcher, offload: Offload, threads: int) -> None:
        self.settings = settings
        self.catalog = catalog
        self.offload = offload
        self.threads = threads
        """The number of models that run at once."""
        self.ready = False
        """True between start-up and shutdown."""
        self._batcher = batcher

    @classmethod
    def load(cls, settings: Settings) -> State:
        """
        Load, check and warm up every valid model of the repository. Raises NoModels.

        Each run has one thread and several runs happen at once: for small models that serves more requests than one run
        on several threads.
        """
        return cls.serve(settings, load_repository(settings.models_dir, threads=1))

    @classmethod
    def serve(cls, settings: Settings, autoencoders: Iterable[Autoencoder]) -> State:
        """Return the state of an application that serves these models."""
        threads = settings.threads or max(1, available_cores() // settings.workers)
        queue_seconds, run_seconds = settings.queue_seconds or math.inf, settings.run_seconds or math.inf
        batcher = Batcher(threads, settings.max_queued_rows, queue_seconds, run_seconds, share=settings.batching)
        offload = Offload(threads, queue_seconds)
        limits = RowLimits(settings.max_rows, settings.max_numbers)
        models = [
            ServedModel(autoencoder, supported_tasks(autoencoder.manifest), batcher, offload, limits)
            for autoencoder in autoencoders
        ]
        return cls(settings, Catalog(models), batcher, offload, threads)

    def is_stuck(self) -> bool:
        """Return True if a run of a model is past its limit and could not be stopped."""
        return self._batcher.limit.is_exceeded()

    def close(self) -> None:
        """Finish the accepted work within seconds, then end the threads that can end."""
        self.ready = False
        self._batcher.close()
        self.offload.close()


def current_state(request: Request) -> State:
    """Return the state of the application that received the request."""
    state: State = request.app.state.hourglass
    return state


CurrentState = Annotated[State, Depends(current_state)]
