"""A version of a model behind its queues: the tasks of an autoencoder, awaited, in runs that requests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Autoencoder, Posterior, Reconstruction, straight_line
from app.engine.batching import Batcher
from app.engine.corruption import Noise
from app.engine.labels import Labels, label_rows
from app.engine.pace import Pace, measure
from app.engine.statistics import Runs
from app.manifest import Manifest, Task

Array = npt.NDArray[np.float32]
Result = TypeVar("Result")

OFF_THE_LOOP = 32 * 1024
"""Random numbers from which drawing them goes to a thread: about half a millisecond."""


class ServedModel:
    """
    What `Autoencoder` does, for many callers at once.

    Samples and latents must have been checked by its `check_…` methods; a label is checked here. Methods raise what
    Autoencoder's do, and Overloaded or Expired.
    """

    def __init__(self, model: Autoencoder, batcher: Batcher) -> None:
        self.model = model
        self.manifest: Manifest = model.manifest
        self.encoder, self.decoder = measure_graphs(model)
        size = model.rows_per_run
        self._batcher = batcher
        self._means = batcher.lane(model.run_mean, self.encoder, size)
        self._posteriors = batcher.lane(model.run_encoder, self.encoder, size)
        self._samples = batcher.lane(model.run_decoder, self.decoder, size)
        self._both = batcher.lane(model.run_both, self.encoder + self.decoder, size)
        self._reconstructions = batcher.lane(model.run_reconstruction, self.encoder + self.decoder, size)

    def require(self, task: Task) -> None:
        """Raise UnsupportedTask unless the model was made for this task."""
        self.model.require(task)

    def runs(self, task: Task) -> tuple[Runs, ...]:
        """The runs of the graphs that make a task's answers, which tasks may share."""
        lanes = {
            "encode": (self._means, self._posteriors),
            "reconstruct": (self._reconstructions,),
            "denoise": (self._both,),
        }
        return tuple(lane.runs for lane in lanes.get(task, (self._samples,)))

    async def encode(self, samples: Array) -> Array:
        """Latents; the posterior mean, of a variational model."""
        return (await self._means.run(samples))[0]

    async def sample_posterior(self, samples: Array, seed: int) -> Array:
        """One seeded draw from each sample's posterior. Raises InvalidParameter where the encoder has none."""
        self.model.require_posterior()
        mu, logvar = await self._posteriors.run(samples)
        return await self._draw(mu.size, lambda: Posterior(mu, logvar).sample(seed))

    async def decode(self, latents: Array, label: str | None = None) -> Array:
        """Samples. Raises InvalidParameter where the label does not fit the model."""
        return (await self._samples.run(latents, *self._labels(label, len(latents))))[0]

    async def reconstruct(self, samples: Array, label: str | None = None) -> Reconstruction:
        """Encode, then decode, and compare."""
        return Reconstruction(*await self._reconstructions.run(samples, *self._labels(label, len(samples))))

    async def denoise(self, samples: Array, label: str | None = None) -> Array:
        """Encode, then decode, by a model that was trained to leave the noise out."""
        self.model.require("denoise")
        return (await self._both.run(samples, *self._labels(label, len(samples))))[0]

    async def corrupt(self, samples: Array, noise: Noise, amount: float, seed: int) -> Array:
        """Noisy samples, for a demonstration of `denoise`. Raises InvalidParameter where there is no value range."""
        return await self._draw(samples.size, lambda: self.model.corrupt(samples, noise, amount, seed))

    async def generate(self, count: int, seed: int, temperature: float = 1.0, label: str | None = None) -> Array:
        """Samples decoded from draws of the prior; see `Autoencoder.generate`."""
        self.model.require("generate")
        size = count * self.manifest.latent_dim
        latents = await self._draw(size, lambda: self.model.draw_latents(count, seed, temperature))
        return await self.decode(self.model.check_latents(latents), label)

    async def interpolate(self, samples: Array, steps: int, label: str | None = None) -> Array:
        """Samples decoded along the straight line between the latents of two; see `Autoencoder.interpolate`."""
        samples = self.model.check_ends(samples)
        labels = self._labels(label, steps)
        latents = straight_line(await self.encode(samples), steps)
        return (await self._samples.run(latents, *labels))[0]

    def _labels(self, label: str | None, rows: int) -> tuple[Labels, ...]:
        labels = label_rows(self.manifest, label, rows)
        return () if labels is None else (labels,)

    async def _draw(self, numbers: int, draw: Callable[[], Result]) -> Result:
        return draw() if numbers < OFF_THE_LOOP else await self._batcher.call(draw)


def measure_graphs(model: Autoencoder) -> tuple[Pace, Pace]:
    """The pace of the encoder and of the decoder, in the middle of the value range and of the latent space."""
    value_range = model.manifest.input.value_range
    middle = value_range.low + value_range.span / 2 if value_range else 0.0

    def encode(rows: int) -> object:
        return model.run_encoder(np.full((rows, *model.manifest.input_shape), middle, np.float32))

    def decode(rows: int) -> object:
        labels = np.zeros(rows, np.int64) if model.manifest.labels else None
        return model.run_decoder(np.zeros((rows, model.manifest.latent_dim), np.float32), labels)

    return measure(encode), measure(decode)
