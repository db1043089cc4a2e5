"""The queues in front of a model's functions, and the times of runs that decide how requests share them."""

from __future__ import annotations

import math
from functools import partial
from threading import Lock
from typing import Literal

import numpy as np

from app.arrays import Labels, Samples
from app.engine.autoencoder import Autoencoder
from app.engine.batcher import Batcher
from app.engine.golden import check_opened
from app.engine.graph import GraphTask
from app.engine.offload import Offload
from app.engine.pending import RowFunction
from app.engine.queue import Queue
from app.engine.run_time import MAX_RUN_SECONDS, RunTime, measure
from app.engine.statistics import RunStatistics
from app.errors import InvalidModel
from app.manifest import Manifest

QueueName = Literal["mean", "posterior", "decode", "denoise", "generate", "reconstruct", "score"]

UNTIMED_ROWS = 16
UNTIMED = RunTime(math.inf, MAX_RUN_SECONDS / UNTIMED_ROWS, UNTIMED_ROWS)
"""The time of a graph that is not measured yet: its runs are small, and not on the event loop."""


class Queues:
    """
    A queue for each function of a model.

    The encoder and the decoder are timed at once. A graph that only one task needs is opened by the first request for
    it, and timed then.
    """

    def __init__(self, model: Autoencoder, batcher: Batcher) -> None:
        self._model = model
        encoder, decoder = measure_pair(model)
        both = encoder + decoder
        functions: dict[QueueName, tuple[RowFunction, RunTime]] = {
            "mean": (model.run_mean, encoder),
            "posterior": (model.run_encoder, encoder),
            "decode": (model.run_decoder, decoder),
            "denoise": (model.run_denoiser, UNTIMED if "denoise" in model.graphs else both),
            "generate": (model.run_generation, UNTIMED if "generate" in model.graphs else decoder),
            "reconstruct": (model.run_reconstruction, both),
            "score": (model.run_scorer, UNTIMED),
        }
        rows = model.rows_per_run
        self._queues = {name: Queue(batcher, function, time, rows) for name, (function, time) in functions.items()}
        self._unopened: set[GraphTask] = set(model.graphs)
        self._opening = Lock()

    def __getitem__(self, name: QueueName) -> Queue:
        return self._queues[name]

    @property
    def statistics(self) -> dict[QueueName, RunStatistics]:
        """The runs of each queue, which several tasks may use."""
        return {name: queue.statistics for name, queue in self._queues.items()}

    async def opened(self, task: GraphTask, offload: Offload) -> Queue:
        """
        Return the queue of a task whose graph is open. The first request for it waits for that, on a thread.

        Raises InvalidModel if the graph cannot be opened, and as `Offload.run_on_thread`.
        """
        if task in self._unopened:
            await offload.run_on_thread(partial(self._open_graph, task))
        return self._queues[task]

    def _open_graph(self, task: GraphTask) -> None:
        with self._opening:
            if task in self._unopened:
                self._model.graphs[task].open()
                try:
                    check_opened(self._model, task)
                except InvalidModel:
                    self._model.graphs[task].close()
                    raise
                self._queues[task].set_run_time(measure_task(self._model, task))
                self._unopened.discard(task)


def measure_pair(model: Autoencoder) -> tuple[RunTime, RunTime]:
    """Measure the encoder, at the middle of the value range, and the decoder, at zero."""
    manifest = model.manifest

    def encode(rows: int) -> object:
        return model.run_encoder(middle_samples(manifest, rows), first_labels(rows, manifest.encoder_takes_labels))

    def decode(rows: int) -> object:
        latents = np.zeros((rows, manifest.latent_dim), np.float32)
        return model.run_decoder(latents, first_labels(rows, bool(manifest.labels)))

    return measure(encode), measure(decode)


def measure_task(model: Autoencoder, task: GraphTask) -> RunTime:
    """Measure a task that has a graph of its own, at the middle of the value range or of the prior."""
    manifest = model.manifest

    def generate(rows: int) -> object:
        noise = np.zeros((rows, manifest.noise_dim), np.float32)
        return model.run_generation(noise, first_labels(rows, bool(manifest.labels)))

    match task:
        case "generate":
            return measure(generate)
        case "denoise":
            return measure(lambda rows: model.run_denoiser(middle_samples(manifest, rows)))
        case "score":
            return measure(lambda rows: model.run_scorer(middle_samples(manifest, rows)))


def middle_samples(manifest: Manifest, rows: int) -> Samples:
    """Return samples at the middle of the value range, or zeros if the model has none."""
    value_range = manifest.input.value_range
    middle = value_range.low + value_range.span / 2 if value_range else 0.0
    return np.full((rows, *manifest.input_shape), middle, np.float32)


def first_labels(rows: int, wanted: bool) -> Labels | None:
    """Return the first label for each row, or None if labels are not wanted."""
    return np.zeros(rows, np.int64) if wanted else None
