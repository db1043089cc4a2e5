"""Detectors of anomalies that people use, fitted to training rows: rivals of a scorer. A larger score is stranger."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from training.evaluation.baselines import EXACT_FEATURES
from training.evaluation.metrics import Doubles

EXPLAINED = 0.95
"""Share of the variance that the components of PCA keep."""
RIDGE = 1e-6
"""Added to the variances of standardised columns, of which some may be constant."""
NEIGHBOURS = (1, 5)
DETECTORS = {
    "knn1": "the distance to the nearest training row",
    "knn5": "to the fifth nearest",
    "pca": f"the error of PCA that keeps {100 * EXPLAINED:.0f} % of the variance",
    "mahalanobis": "the Mahalanobis distance",
    "isolation_forest": "an isolation forest",
}
"""The names of the detectors, and a phrase about each."""


def detector_scores(train: Doubles, test: Doubles, *, share_unit: bool = False) -> dict[str, Doubles]:
    """
    Return the scores of the test rows by each detector, on columns standardised by the training rows.

    Columns that share a unit, as pixels do, keep their proportions: all are divided by the largest deviation. Empty
    margins would decide otherwise, and the rivals of a scorer of images would be weaker than people know them.
    """
    deviation = train.std(axis=0)
    if share_unit:
        deviation = np.full_like(deviation, deviation.max())
    scale = np.where(deviation > 0, deviation, 1.0)
    rows, others = (train - train.mean(axis=0)) / scale, (test - train.mean(axis=0)) / scale
    return dict(_scores(rows, others))


def _scores(rows: Doubles, others: Doubles) -> Iterator[tuple[str, Doubles]]:
    most = min(max(NEIGHBOURS), len(rows))
    distances, _ = NearestNeighbors(n_neighbors=most).fit(rows).kneighbors(others)
    for count in NEIGHBOURS:
        yield f"knn{count}", distances[:, min(count, most) - 1]
    solver = "full" if rows.shape[1] <= EXACT_FEATURES else "randomized"
    pca = PCA(EXPLAINED if solver == "full" else 50, svd_solver=solver, random_state=0).fit(rows)
    yield "pca", np.square(others - pca.inverse_transform(pca.transform(others))).sum(axis=1)
    precision = np.linalg.pinv(np.atleast_2d(np.cov(rows.T)) + RIDGE * np.eye(rows.shape[1]), hermitian=True)
    yield "mahalanobis", np.einsum("ij,ij->i", others @ precision, others)
    yield "isolation_forest", -IsolationForest(random_state=0).fit(rows).score_samples(others)
