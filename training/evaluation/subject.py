"""What is measured: a model, and the data that it is measured on, a chunk of rows at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Autoencoder, Posterior
from app.manifest import Manifest, VectorInput
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation.units import to_x

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Untrained = Callable[[Literal["encode", "reconstruct"], Array], Array]
"""What the same network answers before training, to samples in the user's units: latents, or samples."""

CHUNK_ROWS, CHUNK_NUMBERS = 1024, 2**22
"""Rows, and numbers, that are held as float32 at a time where all rows are gone through."""
FIT_ROWS, FIT_NUMBERS = 60_000, 2**27
"""Training rows, and numbers, that a baseline is fitted on at most."""


@dataclass(frozen=True)
class Subject:
    """A model and data that fit each other."""

    model: Autoencoder
    data: DataSet
    seed: int
    """Of the rows that are drawn where there are too many, the binarised targets and the importance draws."""
    label_numbers: Labels | None = None
    """Of a conditional model: for each class of the data, its number in the manifest."""

    @classmethod
    def of(cls, model: Autoencoder, data: DataSet, seed: int = 0) -> Subject:
        """Raises DataError where the model cannot take the data, before anything is computed."""
        check_fit(model.manifest, data)
        return cls(model, data, seed, _label_numbers(model.manifest, data))

    @property
    def manifest(self) -> Manifest:
        """The model's."""
        return self.model.manifest

    @property
    def description(self) -> str:
        """What a measurement says of its data set."""
        return f"{self.data.name}, test part, {len(self.data.test)} samples"

    def training_rows(self, rows: int, numbers: int) -> Split:
        """So many training rows, or fewer where they have more numbers in all, drawn with the seed."""
        return drawn_rows(self.data.train, self.rows_within(rows, numbers), self.seed)

    def fitting_rows(self) -> Split:
        """The training rows that PCA and the neighbours are fitted on."""
        return self.training_rows(FIT_ROWS, FIT_NUMBERS)

    @property
    def fitting_count(self) -> int:
        """How many they are."""
        return min(len(self.data.train), self.rows_within(FIT_ROWS, FIT_NUMBERS))

    def rows_within(self, rows: int, numbers: int) -> int:
        """So many rows, or fewer where their samples have more numbers in all."""
        return rows_within(rows, numbers, self.manifest.input_size)

    def x(self, split: Split) -> Array:
        """A split in the network's units."""
        return answers(lambda samples: to_x(samples, self.manifest), split)

    def encode(self, split: Split) -> Array:
        """Latents of all rows. Shape: (N, latent_dim)"""
        return answers(self.model.encode, split)

    def posterior(self, split: Split) -> Posterior:
        """The encoder's whole answer for all rows of a split."""
        parts = [self.model.posterior(part.in_users_units()) for part in chunks(split)]
        logvars = [part.logvar for part in parts if part.logvar is not None]
        return Posterior(np.concatenate([part.mu for part in parts]), np.concatenate(logvars) if logvars else None)

    def reconstruct_split(self, split: Split) -> Array:
        """`reconstruct` for all rows of a split."""
        return np.concatenate([self.reconstruct(part.in_users_units(), part.labels) for part in chunks(split)])

    def reconstruct(self, samples: Array, labels: Labels | None) -> Array:
        """decode(encode(samples)), each row under its own label where the model is conditional; user's units."""
        return self.decode(self.model.encode(samples), labels)

    def decode(self, latents: Array, labels: Labels | None) -> Array:
        """Samples in the user's units; `labels` are the data's, one a row."""
        if self.label_numbers is None:
            return self.model.decode(latents)
        assert labels is not None
        return self.model.decode_rows(latents, self.label_numbers[labels])


def rows_within(rows: int, numbers: int, size: int) -> int:
    """So many rows, or fewer where they have more numbers in all; at least one."""
    return max(1, min(rows, numbers // size))


def spans(count: int, size: int) -> Iterator[tuple[int, int]]:
    """Where the chunks of so many samples, each of `size` numbers, begin and end."""
    rows = rows_within(CHUNK_ROWS, CHUNK_NUMBERS, size)
    return ((start, min(start + rows, count)) for start in range(0, count, rows))


def chunks(split: Split) -> Iterator[Split]:
    """All rows, in order."""
    return (split.take(slice(*span)) for span in spans(len(split), math.prod(split.samples.shape[1:])))


def answers(answer: Callable[[Array], Array], split: Split) -> Array:
    """What a function of samples in the user's units gives for all rows of a split."""
    return np.concatenate([answer(part.in_users_units()) for part in chunks(split)])


def drawn_rows(split: Split, rows: int, seed: int) -> Split:
    """All rows of a split, or so many, drawn with the seed and in their order."""
    if rows >= len(split):
        return split
    return split.take(np.sort(np.random.default_rng(seed).permutation(len(split))[:rows]))


def check_fit(manifest: Manifest, data: DataSet) -> None:
    """Raise DataError unless the samples have the shape, the columns and the range that the model takes."""
    expected, got = manifest.input, data.input
    if tuple(expected.shape) != tuple(got.shape):
        raise DataError(
            f"{data.name}: expected samples of shape {list(expected.shape)}, which the model {manifest.name!r} takes, "
            f"got {list(got.shape)}"
        )
    if isinstance(expected, VectorInput) and isinstance(got, VectorInput):
        for number, (ours, theirs) in enumerate(zip(expected.feature_names, got.feature_names, strict=False), start=1):
            if ours != theirs:
                raise DataError(f"{data.name}: column {number}: expected {ours!r}, as in the model, got {theirs!r}")
    for part, split in (("training", data.train), ("test", data.test)):
        if len(split) == 0:
            raise DataError(f"{data.name}: the {part} part has no rows")
        low, high = (np.float32(end) * np.float32(split.unit) for end in (split.samples.min(), split.samples.max()))
        if expected.value_range and not expected.value_range.low <= low <= high <= expected.value_range.high:
            raise DataError(
                f"{data.name}: expected numbers from {expected.value_range.low:g} to {expected.value_range.high:g}, "
                f"which the model {manifest.name!r} takes, got {low:g} to {high:g} in the {part} part"
            )


def _label_numbers(manifest: Manifest, data: DataSet) -> Labels | None:
    if not manifest.labels:
        return None
    if data.test.labels is None:
        raise DataError(f"{data.name}: expected labels, since the model {manifest.name!r} is conditional, got none")
    unknown = [name for name in data.classes if name not in manifest.labels]
    if unknown:
        raise DataError(
            f"{data.name}: expected the labels of the model {manifest.name!r} ({', '.join(manifest.labels[:20])}), "
            f"got {unknown[0]!r}"
        )
    return np.array([manifest.labels.index(name) for name in data.classes], np.int64)
