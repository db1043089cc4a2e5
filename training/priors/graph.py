"""A mixture of Gaussians as a network that makes latents of standard normal noise."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from training.priors.codes import Numbers
from training.priors.mixture import Mixture

NEVER = float(np.finfo(np.float32).max)
"""A threshold that no noise reaches, after the last component of a label that has fewer than others."""


class MixtureGraph(nn.Module):
    """
    Noise to latents, row by row, without randomness.

    The first column of the noise picks a Gaussian: a standard normal number's distribution function is uniform, and the
    Gaussian is the one in whose share of the weights it lies. The thresholds are the shares' ends, taken back through
    that function, so that no rounding of it decides. The other columns are multiplied by the Cholesky factor of the
    Gaussian's covariance.
    """

    thresholds: Tensor
    means: Tensor
    factors: Tensor
    shift: Tensor
    deviation: Tensor

    def __init__(self, mixture: Mixture) -> None:
        super().__init__()
        self.labels = len(mixture.parts)
        self.components = max(mixture.components)
        parts = [arrange(part) for part in mixture.parts]
        thresholds = [_padded(np.array(thresholds_of(weights)), self.components, NEVER) for weights, _, _ in parts]
        self._keep("thresholds", np.stack(thresholds))
        self._keep("means", np.concatenate([_padded(means, self.components) for _, means, _ in parts]))
        factors = np.concatenate([_padded(factors, self.components) for _, _, factors in parts])
        self._keep("factors", factors)
        self._keep("shift", mixture.scale.shift)
        self._keep("deviation", mixture.scale.deviation)

    @property
    def noise_dim(self) -> int:
        """The columns of the noise: one that picks the Gaussian, and one for each latent."""
        return 1 + self.means.shape[1]

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return latents. Shapes: (B, 1 + D) and, of a conditional model, (B,) -> (B, D)."""
        thresholds = self.thresholds if labels is None else self.thresholds[labels]
        component = (noise[:, :1] >= thresholds).sum(dim=1)
        if labels is not None:
            component = component + labels * self.components
        factors, normal = self.factors[component], noise[:, 1:]
        step = factors * normal if factors.dim() == 2 else (factors @ normal.unsqueeze(2)).squeeze(2)
        return self.shift + self.deviation * (self.means[component] + step)

    def example_inputs(self, rows: int, is_conditional: bool, seed: int) -> dict[str, Tensor]:
        """Return the graph's inputs by name: seeded noise and, if it is conditional, each label in turn."""
        noise = np.random.default_rng(seed).standard_normal((rows, self.noise_dim), dtype=np.float32)
        inputs = {"noise": torch.from_numpy(noise)}
        return inputs | ({"labels": torch.arange(rows) % self.labels} if is_conditional else {})

    def _keep(self, name: str, numbers: Numbers) -> None:
        self.register_buffer(name, torch.from_numpy(numbers.astype(np.float32)))


def arrange(part: GaussianMixture) -> tuple[Numbers, Numbers, Numbers]:
    """
    Return weights, means and factors of the covariances, with the heaviest Gaussians in the middle.

    A low temperature moves the first column of the noise towards the middle, and so picks heavy Gaussians more often.
    Shapes: (K,), (K, D), and (K, D, D) or, of diagonal covariances, (K, D).
    """
    order = heaviest_in_the_middle(part.weights_)
    covariances = part.covariances_[order]
    factors = np.linalg.cholesky(covariances) if covariances.ndim == 3 else np.sqrt(covariances)
    return part.weights_[order], part.means_[order], factors


def heaviest_in_the_middle(weights: Numbers) -> npt.NDArray[np.intp]:
    """Return an order of Gaussians in which the weights rise and then fall. Shape: (K,) -> (K,)."""
    light_first = np.argsort(weights, kind="stable")
    return np.concatenate([light_first[::2], light_first[1::2][::-1]])


def thresholds_of(weights: Numbers) -> list[float]:
    """Return the noise at which the picked Gaussian changes. Shape: (K,) -> (K - 1,)."""
    tiny = np.finfo(np.float64).eps
    ends = np.cumsum(weights / weights.sum())[:-1].clip(tiny, 1 - tiny)
    return [NormalDist().inv_cdf(end) for end in ends]


def _padded(rows: Numbers, count: int, value: float = 0.0) -> Numbers:
    """Return rows with more at the end, up to a count."""
    padding = np.full((count - len(rows), *rows.shape[1:]), value)
    return np.concatenate([rows, padding])
