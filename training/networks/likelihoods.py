"""p(x|z): what a decoder's output says of a sample, and what it costs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from app.manifest import BernoulliLikelihood, GaussianLikelihood, ImageInput, VectorInput
from training.config import Config
from training.errors import InvalidConfiguration
from training.networks.objectives import bernoulli_nll, gaussian_nll

LOGVAR_FLOOR = -10.0
"""A standard deviation of 0.7 % of a standardised feature's: below it, a constant column would buy unbounded nats."""
LOGVAR_SPEED = 10.0
"""The variance has to travel farther than a weight: as if its learning rate were so many times the others'."""


class Likelihood(nn.Module):
    """
    p(x|z) from the decoder's output, which has the shape of x.

        output  (B, *input_shape)
        target  (B, *input_shape)
    """

    def nll(self, output: Tensor, target: Tensor) -> Tensor:
        """-log p(target), in nats per sample: (B,)."""
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """The reconstruction: the mean of p(x|z)."""
        raise NotImplementedError

    def record(self) -> BernoulliLikelihood | GaussianLikelihood:
        """What the manifest says of it."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """Bernoulli(sigmoid(output)), for x in [0, 1]."""

    def nll(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy in nats per sample."""
        return bernoulli_nll(output, target)

    def mean(self, output: Tensor) -> Tensor:
        """sigmoid(output), in [0, 1]."""
        return output.sigmoid()

    def record(self) -> BernoulliLikelihood:
        """It has no parameters."""
        return BernoulliLikelihood()


class Gaussian(Likelihood):
    """
    N(output, diag(exp(logvar))) with a learned variance: one for each feature of a vector or channel of an image.

    A fixed variance would weigh the KL term arbitrarily.
    Source: Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders", arXiv:2006.13202, who share
    one variance among all numbers.
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.slow_logvar = nn.Parameter(torch.zeros(input_shape[0], *[1] * (len(input_shape) - 1)))

    @property
    def logvar(self) -> Tensor:
        """(features,) or (channels, 1, 1)"""
        return (LOGVAR_SPEED * self.slow_logvar).clamp(min=LOGVAR_FLOOR)

    def nll(self, output: Tensor, target: Tensor) -> Tensor:
        """Negative log density in nats per sample."""
        return gaussian_nll(output, self.logvar, target)

    def mean(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output

    def record(self) -> GaussianLikelihood:
        """Its variances as they are now."""
        return GaussianLikelihood(logvar=tuple(self.logvar.detach().flatten().tolist()))


def likelihood_name(config: Config, given: ImageInput | VectorInput) -> str:
    """`bernoulli` or `gaussian`: what the configuration says, or what follows the data. Raises InvalidConfiguration."""
    asked = config.objective.likelihood
    chosen = asked
    if asked == "auto":
        grey = isinstance(given, ImageInput) and given.shape[0] == 1
        chosen = "bernoulli" if grey else "gaussian"
    if chosen == "gaussian" and config.binarisation != "none":
        raise InvalidConfiguration(
            "objective.binarisation belongs to the Bernoulli likelihood, and these data call for a Gaussian one; "
            "set objective.likelihood: bernoulli"
        )
    return chosen


def build_likelihood(config: Config, given: ImageInput | VectorInput) -> Likelihood:
    """The likelihood of a configuration for such samples."""
    return Bernoulli() if likelihood_name(config, given) == "bernoulli" else Gaussian(tuple(given.shape))
