"""The state of one application: its settings, the catalog of models, and its threads."""

from __future__ import annotations

import math
from collections.abc import Iterable

from app.api.drift import DriftWatch
from app.api.reloader import Reloader
from app.engine.autoencoder import Autoencoder
from app.engine.batcher import Batcher
from app.engine.catalog import Catalog
from app.engine.offload import Offload
from app.engine.process import available_cores, return_memory
from app.engine.reload import RepositoryReader
from app.engine.served import RowLimits, ServedModel
from app.formats.shared_memory import Regions
from app.server.budget import Budget
from app.server.lifecycle import Lifecycle
from app.server.metrics import Metrics
from app.settings import Settings
from app.tasks import supported_tasks


class State:
    """
    Everything that routes share.

    `catalog` is the one reference to the served models; a reload assigns the next catalog to it.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings = settings
        self.metrics = metrics
        self.catalog = Catalog([])
        self.threads = settings.threads or max(1, available_cores() // settings.workers)
        """The number of models that run at once."""
        self.lifecycle = Lifecycle()
        self.budget = Budget(settings.max_held_bytes, return_memory)
        self.regions = Regions(shared_memory_refusal(settings))
        """The regions of shared memory that clients have registered."""
        self.reloader: Reloader | None = None
        """None if the models are not those of a repository."""
        queue_seconds, run_seconds = settings.queue_seconds or math.inf, settings.run_seconds or math.inf
        self.offload = Offload(self.threads, queue_seconds)
        self._batcher = Batcher(
            self.threads, settings.max_queued_rows, queue_seconds, run_seconds, share=settings.batching
        )
        self._batcher.on_run = metrics.count_run
        self._limits = RowLimits(settings.max_rows, settings.max_numbers)
        metrics.add_gauge("hourglass_queue_rows", "Rows accepted and not yet answered.", lambda: self._batcher.rows)
        metrics.add_gauge(
            "hourglass_held_bytes", "Bytes of bodies, rows and unread answers.", lambda: self.budget.total
        )
        metrics.describe_models(self._served_models)
        self.drift = DriftWatch(settings, metrics.counters)
        metrics.collectors.append(lambda: self.drift.collect(self.catalog))

    @classmethod
    def load(cls, settings: Settings, metrics: Metrics | None = None) -> State:
        """
        Load, check and warm up every valid model of the repository. Raises NoModels.

        Each run has one thread and several runs happen at once: for small models that serves more requests than one run
        on several threads.
        """
        state = cls(settings, metrics or Metrics())
        reader = RepositoryReader(settings.models_dir, state._serve_model, state.metrics.count_load)
        state._swap(reader.load())
        state.reloader = Reloader(reader, state._swap, settings.reload_seconds)
        state.lifecycle.on_reload = state.reload
        return state

    @classmethod
    def serve(cls, settings: Settings, autoencoders: Iterable[Autoencoder], metrics: Metrics | None = None) -> State:
        """Return the state of an application that serves these models."""
        state = cls(settings, metrics or Metrics())
        state._swap(Catalog(map(state._serve_model, autoencoders)))
        return state

    def start(self) -> None:
        """Become ready, and watch the repository."""
        self.lifecycle.start()
        if self.reloader:
            self.reloader.start()

    def reload(self) -> None:
        """Look for changes in the repository now. Only the event loop's thread may call this."""
        if self.reloader:
            self.reloader.ask()

    @property
    def ready(self) -> bool:
        """True between the start and the drain."""
        return self.lifecycle.ready

    def is_stuck(self) -> bool:
        """Return True if a run of a model is past its limit and could not be stopped."""
        return self._batcher.limit.is_exceeded()

    def close(self) -> None:
        """Finish the accepted work within seconds, then end the threads that can end."""
        self.lifecycle.ready = False
        if self.reloader:
            self.reloader.close()
        self._batcher.close()
        self.offload.close()
        self.regions.close()

    def _serve_model(self, autoencoder: Autoencoder) -> ServedModel:
        tasks = supported_tasks(autoencoder.manifest)
        served = ServedModel(autoencoder, tasks, self._batcher, self.offload, self._limits)
        self.drift.watch(served)
        return served

    def _swap(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def _served_models(self) -> Iterable[tuple[str, str, str]]:
        """Yield the name, version and family of each served version."""
        for model in self.catalog.all_versions():
            yield model.manifest.name, str(model.manifest.version), model.manifest.family


def shared_memory_refusal(settings: Settings) -> str | None:
    """Return the reason why clients may not use shared memory, if so."""
    if not settings.shared_memory:
        return "shared memory is not offered here: HOURGLASS_SHARED_MEMORY is not set"
    if settings.workers > 1:
        return "this request would reach one of several workers: shared memory needs HOURGLASS_WORKERS=1"
    return None
