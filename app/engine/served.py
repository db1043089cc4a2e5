"""A served model: one version of an autoencoder, behind queues in which requests share runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

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
from app.engine.queues import Queues
from app.engine.results import Posterior, Reconstruction, Scored
from app.engine.statistics import RequestStatistics
from app.errors import InvalidParameter, TooManyRows
from app.inputs import ImageInput
from app.manifest import Manifest

Drawn = TypeVar("Drawn")

UNCOUNTED_NUMBERS = 4096
"""Numbers of a small request: with its answer in JSON they take 64 KiB."""


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
        self._queues = Queues(autoencoder, batcher)
        self.runs = self._queues.statistics
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
        queue = await self._queues.opened("denoise", self._offload)
        return (await queue.run(samples, *self._labels(label, len(samples))))[0]

    async def score(self, samples: Samples) -> Scored:
        """Return how strange samples are, which only the check of unbounded samples must have passed."""
        queue = await self._queues.opened("score", self._offload)
        scored = Scored(*await queue.run(samples))
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
        queue = await self._queues.opened("generate", self._offload)
        return (await queue.run(noise, *labels))[0]

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
