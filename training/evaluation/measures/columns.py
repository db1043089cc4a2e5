"""A column whose outliers ruin the test likelihood of a whole table: found, and measured without."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from app.arrays import Latents
from app.inputs import VectorInput
from app.manifest import GaussianLikelihood, Manifest
from training.evaluation.measures.targets import Targets
from training.evaluation.metrics import Doubles
from training.evaluation.units import to_x

MIN_RUINOUS_NATS = 10.0
"""Excess of a column in nats per row: its mean squared error is then 21 times the variance that the model states."""
MIN_CONSTANT_SHARE = 0.9
"""Share of equal training values from which a column is called nearly constant."""


@dataclass(frozen=True)
class RuinousColumn:
    """A column that costs more than all others together."""

    index: int
    nats: float
    """-log p of the column's numbers, in nats per row."""
    constant_share: float
    """Share of the training rows that have the column's most frequent value; 0 if there are none."""

    def values(self, negative_elbo: float) -> dict[str, float]:
        """Return the entries of a measurement."""
        return {
            "ruinous_column": float(self.index),
            "ruinous_column_nats": self.nats,
            "ruinous_column_constant_share": self.constant_share,
            "negative_elbo_without_column": negative_elbo - self.nats,
        }

    def describe(self, manifest: Manifest) -> str:
        """Return a note for the protocol."""
        return f"{column_name(manifest, self.index)} costs {self.nats:.4g} nats per row, more than all others together"


def find_ruinous_column(targets: Targets, z: Latents) -> RuinousColumn | None:
    """
    Return the column of a table that ruins the likelihood of the test rows under latents z, or None.

    A column's excess is the cost of its errors beyond those that the model's own variance expects.
    """
    manifest = targets.subject.manifest
    if not isinstance(manifest.input, VectorInput) or not isinstance(manifest.likelihood, GaussianLikelihood):
        return None
    logvar = np.array(manifest.likelihood.logvar)
    excess = 0.5 * (_squared_errors(targets, z) * np.exp(-logvar) - 1)
    worst = int(excess.argmax())
    others = np.delete(excess, worst)
    if excess[worst] < MIN_RUINOUS_NATS or excess[worst] < np.clip(others, 0, None).sum():
        return None
    nats = float(excess[worst] + 0.5 * (1 + logvar[worst] + math.log(2 * math.pi)))
    return RuinousColumn(worst, nats, _constant_share(targets, worst))


def column_name(manifest: Manifest, index: int) -> str:
    """Return `column "age"`, or `column 3`, counted from 0, without names."""
    names = manifest.input.feature_names if isinstance(manifest.input, VectorInput) else ()
    return f'column "{names[index]}"' if names else f"column {index}"


def _squared_errors(targets: Targets, z: Latents) -> Doubles:
    """Return each column's mean squared error over the test rows, each decoded from its own z. Shape: (features,)."""
    subject, labels = targets.subject, targets.subject.data.test.labels
    total = np.zeros(subject.manifest.input_size)
    for start, stop in targets.spans():
        decoded = subject.decode(z[start:stop], None if labels is None else labels[start:stop])
        output = to_x(decoded, subject.manifest, clipped=False)
        total += np.square(output - targets.take(start, stop), dtype=np.float64).sum(axis=0)
    return total / len(targets)


def _constant_share(targets: Targets, column: int) -> float:
    rows = targets.subject.baseline_rows()
    if len(rows) == 0:
        return 0.0
    _, counts = np.unique(rows.samples[:, column], return_counts=True)
    return float(counts.max() / len(rows))
