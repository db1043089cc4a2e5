"""Mixtures of Gaussians whose weights, means and covariances are known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.mixture import GaussianMixture

from training.priors.mixture import Covariance, Mixture, Scale


def gaussians(weights: list[float], means: npt.ArrayLike, covariances: npt.ArrayLike) -> GaussianMixture:
    """Return a mixture as if it had been fitted. Shapes: (K,), (K, D), and (K, D, D) or (K, D)."""
    kind = "full" if np.ndim(covariances) == 3 else "diag"
    mixture = GaussianMixture(len(weights), covariance_type=kind)
    mixture.weights_, mixture.means_ = np.array(weights), np.array(means, float)
    mixture.covariances_ = np.array(covariances, float)
    if kind == "full":
        mixture.precisions_cholesky_ = np.linalg.inv(np.linalg.cholesky(mixture.covariances_)).transpose(0, 2, 1)
    else:
        mixture.precisions_cholesky_ = 1 / np.sqrt(mixture.covariances_)
    return mixture


def unscaled(*parts: GaussianMixture, covariance: Covariance = "full") -> Mixture:
    """Return a prior of mixtures in the units of the latents."""
    dimension = parts[0].means_.shape[1]
    return Mixture(Scale(np.zeros(dimension), np.ones(dimension)), parts, covariance)


def clusters(rows: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Return codes of two clusters at (0, 0) and (10, 20), with standard deviations of 1; a third are in the first."""
    random = np.random.default_rng(seed)
    centres = np.array([[0, 0], [10, 20]])[(np.arange(rows) % 3 > 0).astype(int)]
    codes: npt.NDArray[np.float64] = centres + random.standard_normal((rows, 2))
    return codes
