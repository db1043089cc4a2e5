"""Baselines that a model must beat: PCA of its size, classical denoisers, a linear denoiser; and scores of latents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter
from skimage.restoration import denoise_tv_chambolle, denoise_wavelet
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from app.arrays import Array, Labels, Latents, Samples

NEIGHBOURS = 5
TRUSTED_NEIGHBOURS = 12
EXACT_FEATURES = 4096
"""Features up to which PCA decomposes the whole covariance; for more it uses a randomised SVD."""
TV_WEIGHTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.9)
WAVELET_SIGMAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)


@dataclass(frozen=True)
class LinearAutoencoder:
    """PCA: the linear autoencoder with the least squared error on the rows that it was fitted on."""

    mean: Array
    """(F,)"""
    components: Array
    """(D, F), the first explains the most."""
    description: str
    """The rows that it was fitted on, for the protocol."""

    @classmethod
    def fit(cls, samples: Samples, dimension: int, rows: str = "training rows") -> LinearAutoencoder:
        """Fit at most `dimension` components: no more than rows or features. Shape: (N, *shape)."""
        flat = samples.reshape(len(samples), -1)
        dimension = min(dimension, *flat.shape)
        solver = "covariance_eigh" if flat.shape[1] <= EXACT_FEATURES else "randomized"
        if len(flat) == 1:
            solver = "full"  # one row has no covariance
        with np.errstate(divide="ignore", invalid="ignore"):  # shares of a variance that is 0
            pca = PCA(dimension, svd_solver=solver, random_state=0).fit(flat)
        mean, components = (np.asarray(array, np.float32) for array in (pca.mean_, pca.components_))
        return cls(mean, components, f"fitted on {len(flat)} {rows}")

    def encode(self, samples: Samples) -> Latents:
        """Return the components of samples. Shapes: (N, *shape) -> (N, dimension)."""
        return np.asarray((samples.reshape(len(samples), -1) - self.mean) @ self.components.T, np.float32)

    def reconstruct(self, samples: Samples, components: int | None = None) -> Samples:
        """
        Encode and decode, without clipping, with the first components only if a number is given.

        Shapes: (N, *shape) -> (N, *shape)
        """
        latents = self.encode(samples)[:, :components]
        output = latents @ self.components[:components] + self.mean
        return np.asarray(output, np.float32).reshape(samples.shape)


def median_denoiser(noisy: Array) -> Array:
    """Take a 3x3 median in each channel. Shapes: (N, C, H, W) -> (N, C, H, W)."""
    return np.asarray(median_filter(noisy, size=(1, 1, 3, 3)), np.float32)


def blur_denoiser(noisy: Array) -> Array:
    """Blur each channel with a Gaussian of one pixel. Shapes: (N, C, H, W) -> (N, C, H, W)."""
    return np.asarray(gaussian_filter(noisy, sigma=(0, 0, 1, 1)), np.float32)


def total_variation_denoiser(noisy: Array, weight: float) -> Array:
    """
    Reduce the total variation of images in [0, 1]; a larger weight leaves less of it.

    Shapes: (N, C, H, W) -> (N, C, H, W)
    Source: Chambolle, "An Algorithm for Total Variation Minimization and Applications"
    """
    cleaned = [denoise_tv_chambolle(image, weight, channel_axis=0) for image in noisy]  # type: ignore[no-untyped-call]
    return np.asarray(np.clip(cleaned, 0, 1), np.float32)


def wavelet_denoiser(noisy: Array, sigma: float) -> Array:
    """
    Shrink the wavelet coefficients of images in [0, 1], for noise of standard deviation `sigma`.

    Shapes: (N, C, H, W) -> (N, C, H, W)
    Source: Chang et al., "Adaptive Wavelet Thresholding for Image Denoising and Compression" (BayesShrink)
    """
    cleaned = [
        denoise_wavelet(image, sigma, method="BayesShrink", rescale_sigma=True, channel_axis=0) for image in noisy
    ]
    return np.asarray(np.clip(cleaned, 0, 1), np.float32)


def best_strength(
    denoiser: Callable[[Array, float], Array], noisy: Array, clean: Array, strengths: Sequence[float]
) -> float:
    """Return the strength with the least squared error on training images. Shapes: (N, C, H, W) and (N, C, H, W)."""
    errors = [float(np.square(denoiser(noisy, strength) - clean).mean(dtype=np.float64)) for strength in strengths]
    return strengths[int(np.argmin(errors))]


@dataclass(frozen=True)
class RidgeDenoiser:
    """A linear map from noisy to clean samples with a ridge penalty."""

    ridge: Any
    clipped: bool
    """If true, outputs are clipped to [0, 1]."""

    @classmethod
    def fit(cls, noisy: Samples, clean: Samples, clipped: bool = True) -> RidgeDenoiser:
        """Fit the map on training samples. Shapes: (N, *shape) and (N, *shape)."""
        return cls(Ridge(alpha=1.0).fit(noisy.reshape(len(noisy), -1), clean.reshape(len(clean), -1)), clipped)

    def denoise(self, noisy: Array) -> Array:
        """Apply the map. Shapes: (N, *shape) -> (N, *shape)."""
        answer = self.ridge.predict(noisy.reshape(len(noisy), -1))
        return np.asarray(np.clip(answer, 0, 1) if self.clipped else answer, np.float32).reshape(noisy.shape)


def knn_accuracy(latents: Latents, labels: Labels, test: Latents, test_labels: Labels) -> float:
    """Return the share of test rows that get their own label from a vote of their NEIGHBOURS nearest training rows."""
    classifier = KNeighborsClassifier(min(NEIGHBOURS, len(latents))).fit(latents, labels)
    return float(classifier.score(test, test_labels))


def probe_accuracy(latents: Latents, labels: Labels, test: Latents, test_labels: Labels) -> float:
    """
    Return the share of test rows that a linear probe labels correctly.

    The probe is a logistic regression on standardised training latents, which must have at least two classes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last digits of an accuracy are not worth the wait
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(latents, labels)
    return float(probe.score(test, test_labels))


def trusted_neighbours(samples: Samples, latents: Latents) -> float:
    """
    Return the trustworthiness: 1 if the nearest neighbours among the latents are also neighbours among the samples.

    Shapes: (N, *shape) and (N, D), N at least 3
    Source: Venna & Kaski, "Neighborhood preservation in nonlinear projection methods"
    """
    neighbours = min(TRUSTED_NEIGHBOURS, (len(latents) - 1) // 2)
    return float(trustworthiness(samples.reshape(len(samples), -1), latents, n_neighbors=neighbours))
