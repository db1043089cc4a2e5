"""What a model must beat: PCA of its own size, a median filter, a linear denoiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

Array = npt.NDArray[np.float32]

NEIGHBOURS = 5


@dataclass(frozen=True)
class LinearAutoencoder:
    """PCA, fitted on training rows alone: the best linear autoencoder in squared error."""

    pca: Any

    @classmethod
    def fit(cls, samples: Array, dimension: int) -> LinearAutoencoder:
        """Shapes: (N, *shape), N and the number of features at least `dimension`"""
        flat = samples.reshape(len(samples), -1)
        dimension = min(dimension, *flat.shape)
        return cls(PCA(dimension, svd_solver="covariance_eigh").fit(flat))

    def encode(self, samples: Array) -> Array:
        """Shapes: (N, *shape) -> (N, dimension)"""
        return np.asarray(self.pca.transform(samples.reshape(len(samples), -1)), np.float32)

    def reconstruct(self, samples: Array) -> Array:
        """Shapes: (N, *shape) -> (N, *shape), not clipped"""
        return np.asarray(self.pca.inverse_transform(self.encode(samples)), np.float32).reshape(samples.shape)


def median_denoiser(noisy: Array) -> Array:
    """A 3x3 median over each channel. Shapes: (N, C, H, W) -> (N, C, H, W)"""
    return np.asarray(median_filter(noisy, size=(1, 1, 3, 3)), np.float32)


@dataclass(frozen=True)
class RidgeDenoiser:
    """A linear map from noisy to clean samples with a ridge penalty, clipped to [0, 1]."""

    ridge: Any

    @classmethod
    def fit(cls, noisy: Array, clean: Array) -> RidgeDenoiser:
        """Shapes: (N, *shape) and (N, *shape)"""
        return cls(Ridge(alpha=1.0).fit(noisy.reshape(len(noisy), -1), clean.reshape(len(clean), -1)))

    def denoise(self, noisy: Array) -> Array:
        """Shapes: (N, *shape) -> (N, *shape)"""
        answer = self.ridge.predict(noisy.reshape(len(noisy), -1))
        return np.asarray(np.clip(answer, 0, 1), np.float32).reshape(noisy.shape)


def knn_accuracy(
    latents: Array, labels: npt.NDArray[np.int64], test: Array, test_labels: npt.NDArray[np.int64]
) -> float:
    """Share of test rows whose label the NEIGHBOURS nearest training rows name; neighbours of training rows only."""
    classifier = KNeighborsClassifier(min(NEIGHBOURS, len(latents))).fit(latents, labels)
    return float(classifier.score(test, test_labels))
