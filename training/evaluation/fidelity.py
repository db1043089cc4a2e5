"""Measures of generated samples against real ones, each in some space of features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.arrays import Rows
from training.evaluation.metrics import Doubles

ROWS_PER_CHUNK = 512
PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS = 3, 5
"""The neighbours that the sources of the two pairs of measures propose."""


@dataclass(frozen=True)
class Reference:
    """Real samples, and the squared radii of their neighbourhoods."""

    features: Doubles
    precision_radii: Doubles
    coverage_radii: Doubles

    @classmethod
    def of(cls, features: Rows) -> Reference:
        """Measure the neighbourhoods. At least two rows are needed. Shape: (N, F)."""
        rows = features.astype(np.float64)
        narrow, wide = radii(rows, PRECISION_NEIGHBOURS, COVERAGE_NEIGHBOURS)
        return cls(rows, narrow, wide)


def compare_samples(reference: Reference, features: Rows) -> dict[str, float]:
    """
    Return the Fréchet distance, precision, recall, density and coverage of generated samples.

    Precision: the share of generated samples in the neighbourhood of a real one; recall: the reverse. Density: the mean
    number of real neighbourhoods around a generated sample, in units of the neighbours; coverage: the share of real
    samples with a generated one in their neighbourhood.
    Sources: Heusel et al., arXiv:1706.08500; Kynkäänniemi et al., arXiv:1904.06991; Naeem et al., arXiv:2002.09797
    """
    real, rows = reference.features, features.astype(np.float64)
    (own_radii,) = radii(rows, PRECISION_NEIGHBOURS)
    precise, density = 0, 0.0
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for at, distances in squared_distances(rows, real):
        precise += int((distances <= reference.precision_radii).any(axis=1).sum())
        within = distances <= reference.coverage_radii
        density += float(within.sum())
        covered |= within.any(axis=0)
        recalled |= (distances <= own_radii[at : at + len(distances), None]).any(axis=0)
    return {
        "frechet": frechet_distance(real, rows),
        "precision": precise / len(rows),
        "recall": float(recalled.mean()),
        "density": density / (COVERAGE_NEIGHBOURS * len(rows)),
        "coverage": float(covered.mean()),
    }


def frechet_distance(first: Doubles, second: Doubles) -> float:
    """
    Return |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the means and covariances of two sets of features.

    Shapes: (N, F), (M, F)
    """
    covariances = [np.atleast_2d(np.cov(rows.T)) for rows in (first, second)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)
    means = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    return float(means + sum(map(np.trace, covariances)) - 2 * np.sqrt(product).sum())


def memorising_ratio(generated: Rows, test: Rows, train: Rows) -> float:
    """
    Return the median distance of generated samples to their nearest training sample, in units of that of test samples.

    1: generated samples are as far from the training samples as unseen ones are; near 0: they are copies of them.
    """
    near, usual = (np.median(nearest_distances(rows, train)) for rows in (generated, test))
    return float(near / usual) if usual > 0 else float(near > 0)


def nearest_distances(rows: Rows, others: Rows) -> Doubles:
    """Return the distance of each row to the nearest of other rows. Shapes: (N, F), (M, F) -> (N,)."""
    parts = [part.min(axis=1) for _, part in squared_distances(rows.astype(np.float64), others.astype(np.float64))]
    distances: Doubles = np.sqrt(np.concatenate(parts))
    return distances


def radii(rows: Doubles, *neighbours: int) -> tuple[Doubles, ...]:
    """Return the squared distances of each row to its k-th nearest other rows, or the farthest if there are fewer."""
    orders = [min(k, len(rows) - 1) for k in neighbours]  # the row itself is at 0
    parts = [np.partition(part, orders, axis=1)[:, orders] for _, part in squared_distances(rows, rows)]
    return tuple(np.concatenate(parts).T)


def squared_distances(rows: Doubles, others: Doubles) -> Iterator[tuple[int, Doubles]]:
    """Yield the first row and the squared distances of each chunk of rows to all others."""
    sizes = np.square(others).sum(axis=1)
    for at in range(0, len(rows), ROWS_PER_CHUNK):
        part = rows[at : at + ROWS_PER_CHUNK]
        distances = np.square(part).sum(axis=1)[:, None] + sizes - 2 * part @ others.T
        yield at, distances.clip(0)
