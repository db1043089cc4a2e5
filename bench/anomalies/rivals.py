"""Detectors that people use, fitted to normal rows; a larger score is stranger."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

Array = npt.NDArray[Any]
EXPLAINED = 0.95
"""Share of the variance that the components of PCA keep."""


def rival_scores(train: Array, test: Array) -> dict[str, Array]:
    """Return the scores of the test rows by each detector, on inputs standardised by the training rows."""
    deviation = train.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    rows, others = (train - train.mean(axis=0)) / scale, (test - train.mean(axis=0)) / scale
    distances, _ = NearestNeighbors(n_neighbors=min(5, len(rows))).fit(rows).kneighbors(others)
    pca = PCA(EXPLAINED, svd_solver="full").fit(rows)
    precision = np.linalg.pinv(np.cov(rows.T) + 1e-6 * np.eye(rows.shape[1]))
    return {
        "k-NN, k = 1": distances[:, 0],
        "k-NN, k = 5": distances[:, -1],
        "PCA": np.square(others - pca.inverse_transform(pca.transform(others))).sum(axis=1),
        "Mahalanobis": np.einsum("ij,jk,ik->i", others, precision, others),
        "isolation forest": -IsolationForest(random_state=0).fit(rows).score_samples(others),
    }
