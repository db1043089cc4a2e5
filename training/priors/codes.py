"""Codes: the latents that a prior is fitted to, or chosen by, and the labels that they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from app.arrays import Labels
from training.data.dataset import Split
from training.errors import DataError
from training.evaluation.subject import Subject, choose_rows

Numbers: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Codes:
    """Latents, (N, D), and the index of each one's label in the manifest, (N,), or None without labels."""

    latents: Numbers
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.latents)

    def choose(self, count: int, seed: int) -> Codes:
        """Return `count` random codes in their order, or all if there are no more than that."""
        if count >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:count])
        return Codes(self.latents[rows], None if self.labels is None else self.labels[rows])

    def under(self, label: int) -> Numbers:
        """Return the latents of one label; all of them if there are no labels."""
        return self.latents if self.labels is None else self.latents[self.labels == label]


def draw_codes(subject: Subject, split: Split, rows: int, seed: int) -> Codes:
    """
    Return the latents of at most `rows` rows of a part of the data; of a variational model, one draw per row.

    The seed decides the rows and the draws. Raises DataError if a conditional model's data have no labels.
    """
    if subject.manifest.labels and split.labels is None:
        raise DataError(
            f"{subject.data.name}: the prior of a conditional model needs the labels of all parts, and one has none"
        )
    chosen = choose_rows(split, rows, seed)
    latents = subject.posterior(chosen).sample(seed).astype(np.float64)
    if subject.label_numbers is None or chosen.labels is None:
        return Codes(latents)
    return Codes(latents, subject.label_numbers[chosen.labels])
