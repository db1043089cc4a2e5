"""A served model: one version of an autoencoder, behind queues in which requests share runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from app.arrays import Array, Labels, Latents, Samples
from app.engine.autoencoder import Autoencoder, straight_line
from app.engine.batcher import Batcher
from app.engine.checks import (
    Adjusted,
    adjust_samples,
    encoder_label_rows,
    has_features,
    label_rows,
    level_unit,
    missing_fill,
    row_checks,
)
from app.engine.corruption import Noise
from app.engine.offload import LoopLimit, Offload
from app.engine.pending import RowFunction
from app.engine.queue import Queue
from app.engine.results import Posterior, Reconstruction, Scored
from app.engine.run_time import RunTime, measure
from app.engine.statistics import RequestStatistics
from app.errors import InvalidParameter, TooManyRows
from app.inputs import ImageInput
from app.manifest import Manifest

Drawn = TypeVar("Drawn")

UNCOUNTED_NUMBERS = 4096
"""Numbers of a small request: with its answer in JSON they take 64 KiB."""

QueueName = Literal["mean", "posterior", "decode", "denoise", "generate", "reconstruct", "score"]


@dataclass(frozen=True)
class RowLimits:
    """The bounds on the rows of a request and of an answer."""

    max_rows: int
    max_numbers: int

    def rows(self, manifest: Manifest) -> int:
        """Return the most rows for a model."""
        return min(self.max_rows, max(1, self.max_numbers // manifest.input_size))


class ServedModel:
    """
    The methods of an autoencoder, for many callers at once.

    Samples and latents must have passed `checks`; labels are checked here. Methods raise what the methods of
    Autoencoder raise, and Overloaded or Expired.
    """

    def __init__(
        self, autoencoder: Autoencoder, tasks: Iterable[str], batcher: Batcher, offload: Offload, limits: RowLimits
    ) -> None:
        self.autoencoder = autoencoder
        self.manifest: Manifest = autoencoder.manifest
        self.tasks = tuple(tasks)
        """Names of the tasks that the model supports."""
        self.takes_images = isinstance(self.manifest.input, ImageInput)
        self.has_features = has_features(self.manifest)
        self.requests = {task: RequestStatistics() for task in self.tasks}
        """The requests of /v2, by task."""
        self.max_rows = limits.rows(self.manifest)
        """The most rows of a request or an answer."""
        self.uncounted_rows = UNCOUNTED_NUMBERS // max(self.manifest.input_size, self.manifest.latent_dim)
        """The rows of a request and an answer that are too small to be counted among the bytes that are held."""
        self._offload = offload
        self.level_unit = level_unit(self.manifest)
        """The number that a level of a uint8 array stands for; None if such arrays hold numbers."""
        self.adjusts = self.manifest.input.range_origin == "found" or bool(missing_fill(self.manifest))
        """True if samples beyond the range are clipped, or missing numbers filled, and not refused."""
        self.checks = row_checks(self.manifest, self.max_rows)
        """The checks of a request's arrays, by name."""
        self._queues = open_queues(autoencoder, batcher)
        self.runs = {name: queue.statistics for name, queue in self._queues.items()}
        """The runs of each queue, which several tasks may use."""
        self.on_scores: Callable[[Array, Latents], None] | None = None
        """Called with the p-values and the latents of each request, on the event loop."""
        self._report_runs(batcher)

    def _report_runs(self, batcher: Batcher) -> None:
        if batcher.on_run is not None:
            for runs in self.runs.values():
                runs.on_run = partial(batcher.on_run, self.manifest.name)

    def check_row_count(self, rows: int) -> None:
        """Raise TooManyRows if a request or an answer would have more rows than the limits allow."""
        if rows > self.max_rows:
            raise TooManyRows(f"expected at most {self.max_rows} rows at once, got {rows}")

    async def adjust(self, samples: Samples, *, clip: bool = True) -> Adjusted:
        """Return checked samples without gaps and, unless `clip` is false, within the range that training found."""
        call = partial(adjust_samples, self.manifest, samples, clip=clip)
        return await self._offload.run(samples.size, LoopLimit.CLIP_NUMBERS, call)

    async def encode(self, samples: Samples, label: str | None = None) -> Latents:
        """Return the latents; of a variational model, the posterior mean."""
        return (await self._queues["mean"].run(samples, *self._encoder_labels(label, len(samples))))[0]

    async def sample_posterior(self, samples: Samples, seed: int, label: str | None = None) -> Latents:
        """Return one seeded draw from each sample's posterior. Raises InvalidParameter if the encoder has none."""
        if self.manifest.latent.kind != "gaussian":
            raise InvalidParameter(
                f"the model {self.manifest.name!r} is deterministic: it has no posterior to draw from"
            )
        mu, logvar = await self._queues["posterior"].run(samples, *self._encoder_labels(label, len(samples)))
        return await self._draw(mu.size, lambda: Posterior(mu, logvar).sample(seed))

    async def decode(self, latents: Latents, label: str | None = None) -> Samples:
        """Return the decoded samples. Raises InvalidParameter if the label does not fit the model."""
        return (await self._queues["decode"].run(latents, *self._labels(label, len(latents))))[0]

    async def reconstruct(self, samples: Samples, label: str | None = None) -> Reconstruction:
        """Encode and decode samples, and compare the result with them."""
        return Reconstruction(*await self._queues["reconstruct"].run(samples, *self._labels(label, len(samples))))

    async def denoise(self, samples: Samples, label: str | None = None) -> Samples:
        """Remove noise from samples."""
        return (await self._queues["denoise"].run(samples, *self._labels(label, len(samples))))[0]

    async def score(self, samples: Samples) -> Scored:
        """Return how strange samples are, which only the check of unbounded samples must have passed."""
        scored = Scored(*await self._queues["score"].run(samples))
        if self.on_scores is not None:
            self.on_scores(scored.p_values, scored.latents)
        return scored

    async def corrupt(self, samples: Samples, noise: Noise, amount: float, seed: int) -> Samples:
        """Add noise to samples. Raises InvalidParameter if the model has no value range."""
        return await self._draw(samples.size, lambda: self.autoencoder.corrupt(samples, noise, amount, seed))

    async def generate(self, count: int, seed: int, temperature: float = 1.0, label: str | None = None) -> Samples:
        """Decode draws from the prior; see `Autoencoder.generate`."""
        labels = self._labels(label, count)
        draw = partial(self.autoencoder.prior.noise, count, seed, temperature)
        noise = await self._draw(count * self.manifest.noise_dim, draw)
        return (await self._queues["generate"].run(noise, *labels))[0]

    async def interpolate(self, samples: Samples, steps: int, label: str | None = None) -> Samples:
        """Decode the straight line between the latents of two samples; see `Autoencoder.interpolate`."""
        samples = self.autoencoder.check_ends(samples)
        labels = self._labels(label, steps)
        ends = await self.encode(samples, label if self.manifest.encoder_takes_labels else None)
        latents = straight_line(ends, steps)
        return (await self._queues["decode"].run(latents, *labels))[0]

    def _labels(self, label: str | None, count: int) -> tuple[Labels, ...]:
        labels = label_rows(self.manifest, label, count)
        return () if labels is None else (labels,)

    def _encoder_labels(self, label: str | None, count: int) -> tuple[Labels, ...]:
        if label is None and not self.manifest.encoder_takes_labels:
            return ()
        labels = encoder_label_rows(self.manifest, label, count)
        return () if labels is None else (labels,)

    async def _draw(self, count: int, draw: Callable[[], Drawn]) -> Drawn:
        return await self._offload.run(count, LoopLimit.DRAW_NUMBERS, draw)


def open_queues(autoencoder: Autoencoder, batcher: Batcher) -> dict[QueueName, Queue]:
    """Return the queues in front of a model's functions, whose run times are measured first."""
    encoder, decoder, denoiser, generation = measure_graphs(autoencoder)
    functions: dict[QueueName, tuple[RowFunction, RunTime]] = {
        "mean": (autoencoder.run_mean, encoder),
        "posterior": (autoencoder.run_encoder, encoder),
        "decode": (autoencoder.run_decoder, decoder),
        "denoise": (autoencoder.run_denoiser, denoiser),
        "generate": (autoencoder.run_generation, generation),
        "reconstruct": (autoencoder.run_reconstruction, encoder + decoder),
        "score": (autoencoder.run_scorer, measure_scorer(autoencoder)),
    }
    rows = autoencoder.rows_per_run
    return {name: Queue(batcher, function, time, rows) for name, (function, time) in functions.items()}


def measure_graphs(model: Autoencoder) -> tuple[RunTime, RunTime, RunTime, RunTime]:
    """
    Measure the encoder, the decoder, denoising and generation, at the middle of the value range and of the prior.

    Without a graph of its own, denoising takes the time of the encoder and the decoder, and generation the decoder's.
    """
    manifest, samples = model.manifest, partial(middle_samples, model.manifest)

    def labels(rows: int, there: bool = bool(manifest.labels)) -> Labels | None:
        return np.zeros(rows, np.int64) if there else None

    def encode(rows: int) -> object:
        return model.run_encoder(samples(rows), labels(rows, manifest.encoder_takes_labels))

    def decode(rows: int) -> object:
        return model.run_decoder(np.zeros((rows, manifest.latent_dim), np.float32), labels(rows))

    def generate(rows: int) -> object:
        return model.run_generation(np.zeros((rows, manifest.noise_dim), np.float32), labels(rows))

    encoder, decoder = measure(encode), measure(decode)
    denoiser = measure(lambda rows: model.run_denoiser(samples(rows))) if manifest.has_denoiser else encoder + decoder
    return encoder, decoder, denoiser, measure(generate) if manifest.has_prior else decoder


def measure_scorer(model: Autoencoder) -> RunTime:
    """Measure the scorer at the middle of the value range. A model without one gets a time that nobody reads."""
    if not model.manifest.has_scorer:
        return RunTime(1.0, 1.0)
    return measure(lambda rows: model.run_scorer(middle_samples(model.manifest, rows)))


def middle_samples(manifest: Manifest, rows: int) -> Samples:
    """Return samples at the middle of the value range, or zeros if the model has none."""
    value_range = manifest.input.value_range
    middle = value_range.low + value_range.span / 2 if value_range else 0.0
    return np.full((rows, *manifest.input_shape), middle, np.float32)
