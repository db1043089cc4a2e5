"""The subject of an evaluation: a model and the data that it is measured on, read chunk by chunk."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.arrays import Array, Labels, Latents, Samples
from app.engine.autoencoder import Autoencoder
from app.engine.results import Posterior
from app.inputs import VectorInput
from app.manifest import Manifest
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation.limits import DEFAULT_LIMITS, Limits, RowLimit
from training.evaluation.units import to_x

log = logging.getLogger(__name__)

Untrained = Callable[[Literal["encode", "reconstruct"], Array], Array]
"""The network before training: a function of a task and samples in the user's units; returns latents or samples."""


@dataclass(frozen=True)
class Subject:
    """A model and data that fit each other, and the limits of their evaluation."""

    model: Autoencoder
    data: DataSet
    seed: int
    """Seed of the chosen rows, the binarised targets and the importance samples."""
    limits: Limits = DEFAULT_LIMITS
    label_numbers: Labels | None = None
    """The manifest's number of each class of the data; None if the model is not conditional."""

    @classmethod
    def of(cls, model: Autoencoder, data: DataSet, seed: int = 0, limits: Limits = DEFAULT_LIMITS) -> Subject:
        """Check that the model can take the data. Raises DataError if not."""
        check_fit(model.manifest, data)
        return cls(model, data, seed, limits, _label_numbers(model.manifest, data))

    @property
    def manifest(self) -> Manifest:
        """The model's manifest."""
        return self.model.manifest

    @property
    def description(self) -> str:
        """A measurement's description of its data set."""
        part = "every row" if self.data.is_whole else "test part"
        return f"{self.data.name}, {part}, {len(self.data.test)} samples"

    @property
    def has_training_rows(self) -> bool:
        """False if baselines have no rows to be fitted on."""
        return len(self.data.train) > 0

    def training_rows(self, limit: RowLimit) -> Split:
        """Return the training rows, or as many as the limit allows, chosen with the seed."""
        return choose_rows(self.data.train, self.row_count(limit), self.seed)

    def baseline_rows(self) -> Split:
        """Return the training rows that baselines are fitted on."""
        return self.training_rows(self.limits.baseline)

    def row_count(self, limit: RowLimit) -> int:
        """Return the most rows of this model's samples within a limit."""
        return limit.count(self.manifest.input_size)

    def spans(self, count: int) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of each chunk of `count` rows."""
        return spans(count, self.row_count(self.limits.chunk))

    def chunks(self, split: Split) -> Iterator[Split]:
        """Yield all rows of a split in order, chunk by chunk."""
        return chunks(split, self.limits.chunk)

    def map_chunks(self, function: Callable[[Samples], Array], split: Split) -> Array:
        """Return the results of a function of samples in the user's units, for all rows of a split."""
        return map_chunks(function, split, self.limits.chunk)

    def x(self, split: Split) -> Samples:
        """Return a split in the network's units."""
        return self.map_chunks(lambda samples: to_x(samples, self.manifest), split)

    def encode(self, split: Split) -> Latents:
        """Return the latents of all rows. Shape: (N, latent_dim)."""
        return np.concatenate([self.encode_rows(part.in_users_units(), part.labels) for part in self.chunks(split)])

    def encode_rows(self, samples: Samples, labels: Labels | None) -> Latents:
        """Return the latents of samples in the user's units. `labels` are numbers of the data's classes."""
        return (
            self.posterior_of(samples, labels).mu if self.manifest.encoder_takes_labels else self.model.encode(samples)
        )

    def posterior(self, split: Split) -> Posterior:
        """Return all of the encoder's outputs for all rows of a split."""
        return join_posteriors([self.posterior_of(part.in_users_units(), part.labels) for part in self.chunks(split)])

    def posterior_of(self, samples: Samples, labels: Labels | None) -> Posterior:
        """Return all of the encoder's outputs for samples in the user's units, each under its own label."""
        numbers = None if self.label_numbers is None or labels is None else self.label_numbers[labels]
        return self.model.posterior(samples, numbers)

    def reconstruct_split(self, split: Split) -> Samples:
        """Reconstruct all rows of a split."""
        return np.concatenate([self.reconstruct(part.in_users_units(), part.labels) for part in self.chunks(split)])

    def denoise_split(self, split: Split) -> Samples:
        """Remove the noise from all rows of a split, as the task `denoise` does."""
        if self.manifest.has_denoiser:
            return self.map_chunks(self.model.denoise, split)
        return self.reconstruct_split(split)

    def reconstruct(self, samples: Samples, labels: Labels | None) -> Samples:
        """Return decode(encode(samples)) in the user's units; a conditional model takes each row under its label."""
        return self.decode(self.encode_rows(samples, labels), labels)

    def decode(self, latents: Latents, labels: Labels | None) -> Samples:
        """Return samples in the user's units. `labels` are numbers of the data's classes."""
        if self.label_numbers is None:
            return self.model.decode(latents)
        assert labels is not None
        return self.model.decode_rows(latents, self.label_numbers[labels])


def join_posteriors(parts: list[Posterior]) -> Posterior:
    """Return one posterior of the rows of all parts."""
    logvars = [part.logvar for part in parts if part.logvar is not None]
    return Posterior(np.concatenate([part.mu for part in parts]), np.concatenate(logvars) if logvars else None)


def spans(count: int, rows: int) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of each chunk of at most `rows` of `count` rows."""
    return ((start, min(start + rows, count)) for start in range(0, count, rows))


def chunks(split: Split, limit: RowLimit = DEFAULT_LIMITS.chunk) -> Iterator[Split]:
    """Yield all rows of a split in order, chunk by chunk."""
    rows = limit.count(math.prod(split.samples.shape[1:]))
    return (split.take(slice(*span)) for span in spans(len(split), rows))


def map_chunks(function: Callable[[Samples], Array], split: Split, limit: RowLimit = DEFAULT_LIMITS.chunk) -> Array:
    """Return the results of a function of samples in the user's units, for all rows of a split."""
    return np.concatenate([function(part.in_users_units()) for part in chunks(split, limit)])


def choose_rows(split: Split, count: int, seed: int) -> Split:
    """Return `count` random rows of a split in their order, or all rows if there are no more than that."""
    if count >= len(split):
        return split
    return split.take(np.sort(np.random.default_rng(seed).permutation(len(split))[:count]))


def check_fit(manifest: Manifest, data: DataSet) -> None:
    """Raise DataError unless the samples have the shape, the columns and the range that the model takes."""
    expected, got, shape = manifest.input, data.input, data.train.samples.shape[1:]
    if tuple(expected.shape) != shape:
        raise DataError(
            f"{data.name}: expected samples of shape {list(expected.shape)}, which the model {manifest.name!r} takes, "
            f"got {list(shape)}"
        )
    if isinstance(expected, VectorInput) and isinstance(got, VectorInput):
        for number, (ours, theirs) in enumerate(zip(expected.feature_names, got.feature_names, strict=False), start=1):
            if ours != theirs:
                raise DataError(f"{data.name}: column {number}: expected {ours!r}, as in the model, got {theirs!r}")
    for part, split in (("training", data.train), ("test", data.test)):
        if not (data.is_whole and part == "training" and len(split) == 0):
            _check_part(manifest, data.name, part, split)


def _check_part(manifest: Manifest, name: str, part: str, split: Split) -> None:
    """Raise DataError if a part has no rows, or numbers outside a stated range. Clip those outside a found range."""
    if len(split) == 0:
        raise DataError(f"{name}: the {part} part has no rows")
    value_range = manifest.input.value_range
    if value_range and manifest.input.range_origin == "found":
        clipped = split.clip((value_range.low / split.unit, value_range.high / split.unit))
        if clipped:
            log.warning(
                "%s: %d numbers of the %s part were outside the model's range and were clipped", name, clipped, part
            )
        return
    low, high = (np.float32(end) * np.float32(split.unit) for end in (split.samples.min(), split.samples.max()))
    if value_range and not value_range.low <= low <= high <= value_range.high:
        raise DataError(
            f"{name}: expected numbers from {value_range.low:g} to {value_range.high:g}, "
            f"which the model {manifest.name!r} takes, got {low:g} to {high:g} in the {part} part"
        )


def _label_numbers(manifest: Manifest, data: DataSet) -> Labels | None:
    if not manifest.labels:
        return None
    if data.test.labels is None or (manifest.encoder_takes_labels and data.train.labels is None):
        part = "" if data.test.labels is None else " for the training part"
        raise DataError(
            f"{data.name}: expected labels{part}, since the model {manifest.name!r} is conditional, got none; "
            "--label names their column or member"
        )
    unknown = [name for name in data.classes if name not in manifest.labels]
    if unknown:
        raise DataError(
            f"{data.name}: expected the labels of the model {manifest.name!r} ({', '.join(manifest.labels[:20])}), "
            f"got {unknown[0]!r}"
        )
    return np.array([manifest.labels.index(name) for name in data.classes], np.int64)
