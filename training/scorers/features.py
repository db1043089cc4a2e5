"""The numbers of a sample that the parts of a score look at, computed by a version's pair."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from app.arrays import Array, Samples
from app.engine.autoencoder import Autoencoder
from app.manifest import Manifest, Preprocessing
from training.data.dataset import Split
from training.evaluation.subject import Subject
from training.evaluation.units import MIN_LOG1P_ARGUMENT
from training.preprocessing import Preprocessor

MAX_SAMPLE_NUMBERS = 256
"""Numbers of a sample up to which samples are compared themselves, and not their latents."""


class Features(NamedTuple):
    """Samples and reconstructions, (B, *input_shape) each, in the network's units, and latents, (B, D)."""

    x: Tensor
    latents: Tensor
    reconstructions: Tensor
    logvar: Tensor
    """The posterior's, (B, D), of a variational model; nothing, (B, 0), of others."""

    @property
    def has_small_samples(self) -> bool:
        """True if samples are small enough to be compared themselves."""
        return self.x[0].numel() <= MAX_SAMPLE_NUMBERS

    @property
    def has_pixels(self) -> bool:
        """True if the numbers of a sample have the axes of an image."""
        return self.x.ndim == 4

    @property
    def coordinates(self) -> Tensor:
        """The rows whose distances and density count: of small samples, themselves; of others, their latents."""
        return self.x.flatten(1) if self.has_small_samples else self.latents


class FeatureGraph(nn.Module):
    """Samples and reconstructions in the user's units to those of the network, but never clipped."""

    def __init__(self, manifest: Manifest) -> None:
        super().__init__()
        record = manifest.preprocessing
        self.logs = record is not None and any(record.log1p)
        self.to_x = Preprocessor(unclipped(record), len(manifest.input_shape)) if record else None

    def forward(
        self, samples: Tensor, latents: Tensor, reconstructions: Tensor, logvar: Tensor | None = None
    ) -> Features:
        """Return the features. Shapes: (B, *input_shape), (B, D), (B, *input_shape), (B, D)."""
        spread = latents[:, :0] if logvar is None else logvar
        return Features(self._convert(samples), latents, self._convert(reconstructions), spread)

    def _convert(self, samples: Tensor) -> Tensor:
        if self.to_x is None:
            return samples
        if self.logs:
            samples = torch.where(self.to_x.logged, samples.clamp(min=float(MIN_LOG1P_ARGUMENT)), samples)
        return torch.as_tensor(self.to_x(samples))


def unclipped(record: Preprocessing) -> Preprocessing:
    """Return the steps of a model without the clipping: a value that is far away must count as far away."""
    nothing = (None,) * len(record.low)
    return record.model_copy(update={"low": nothing, "high": nothing})


def features_of(subject: Subject, split: Split) -> Features:
    """Return the features of all rows of a split."""
    graph, parts = FeatureGraph(subject.manifest), []
    for part in subject.chunks(split):
        parts.append(graph(*map(torch.from_numpy, scored_arrays(subject.model, part.in_users_units()))))
    return Features(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def scored_arrays(model: Autoencoder, samples: Samples) -> tuple[Array, ...]:
    """Return samples, latents, reconstructions and, of a variational model, the posterior's logvar."""
    posterior = model.posterior(samples)
    arrays = samples, posterior.mu, model.decode(posterior.mu)
    return arrays if posterior.logvar is None else (*arrays, posterior.logvar)
