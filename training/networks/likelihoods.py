"""The distribution p(x|z) of the samples given the latents; the decoder's output is its parameter."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from app.inputs import ImageInput, VectorInput
from app.manifest import BernoulliLikelihood, GaussianLikelihood
from training.config import Config
from training.errors import InvalidConfiguration
from training.networks.objectives import bernoulli_nll, gaussian_nll

LOGVAR_FLOOR = -10.0
"""A standard deviation of 0.7 % of a standardised feature's. Without it, a constant column earns unbounded nats."""
LOGVAR_RATE = 10.0
"""Factor on the learning rate of the variance, which has farther to travel than a weight."""


class Likelihood(nn.Module):
    """
    p(x|z), given the decoder's output.

        output  (B, *input_shape)
        target  (B, *input_shape)
    """

    def nll(self, output: Tensor, target: Tensor) -> Tensor:
        """Return -log p(target), in nats per sample. Shape: (B,)."""
        raise NotImplementedError

    def mean(self, output: Tensor) -> Tensor:
        """Return the mean of p(x|z), which is the reconstruction."""
        raise NotImplementedError

    def record(self) -> BernoulliLikelihood | GaussianLikelihood:
        """Return the likelihood's entry in the manifest."""
        raise NotImplementedError


class Bernoulli(Likelihood):
    """Bernoulli(sigmoid(output)), for x in [0, 1]."""

    def nll(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the cross-entropy in nats per sample."""
        return bernoulli_nll(output, target)

    def mean(self, output: Tensor) -> Tensor:
        """Return sigmoid(output), in [0, 1]."""
        return output.sigmoid()

    def record(self) -> BernoulliLikelihood:
        """Return an entry without parameters."""
        return BernoulliLikelihood()


class Gaussian(Likelihood):
    """
    N(output, diag(exp(logvar))) with a learned variance: one per feature of a vector or per channel of an image.

    If it is shared, one variance serves all numbers, and the means with the least squared error are the best.
    A fixed variance would give the KL term an arbitrary weight.
    Source: Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders", arXiv:2006.13202, who share
    one variance among all numbers.
    """

    def __init__(self, input_shape: tuple[int, ...], shared: bool = False) -> None:
        super().__init__()
        self._columns = input_shape[0]
        self.slow_logvar = nn.Parameter(torch.zeros(1 if shared else self._columns, *[1] * (len(input_shape) - 1)))

    @property
    def logvar(self) -> Tensor:
        """Return the logarithm of the variances. Shape: (features,) or (channels, 1, 1); a shared one has size 1."""
        return (LOGVAR_RATE * self.slow_logvar).clamp(min=LOGVAR_FLOOR)

    def start_at(self, residual: Tensor) -> None:
        """Set the variances to mean squared errors, (columns, numbers of a column)."""
        variances = residual.mean(1) if len(self.slow_logvar) > 1 else residual.mean().view(1)
        with torch.no_grad():
            logvar = variances.clamp(min=math.exp(LOGVAR_FLOOR)).log()
            self.slow_logvar.copy_(logvar.view_as(self.slow_logvar) / LOGVAR_RATE)

    def nll(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the negative log density in nats per sample."""
        return gaussian_nll(output, self.logvar, target)

    def mean(self, output: Tensor) -> Tensor:
        """Return the output itself."""
        return output

    def record(self) -> GaussianLikelihood:
        """Return an entry with the present variances."""
        logvar = self.logvar.detach().flatten().expand(self._columns)
        return GaussianLikelihood(logvar=tuple(logvar.tolist()))


def likelihood_name(config: Config, input_spec: ImageInput | VectorInput) -> Literal["bernoulli", "gaussian"]:
    """Return the configured likelihood, or the one for such samples. Raises InvalidConfiguration."""
    name = config.objective.likelihood
    if name == "auto":
        is_grey = isinstance(input_spec, ImageInput) and input_spec.shape[0] == 1
        name = "bernoulli" if is_grey else "gaussian"
    if name == "gaussian" and config.binarisation != "none":
        raise InvalidConfiguration(
            "objective.binarisation belongs to the Bernoulli likelihood, and these data call for a Gaussian one; "
            "say --set objective.likelihood=bernoulli"
        )
    return name


def build_likelihood(config: Config, input_spec: ImageInput | VectorInput) -> Likelihood:
    """Build the likelihood of a configuration for such samples."""
    if likelihood_name(config, input_spec) == "bernoulli":
        return Bernoulli()
    return Gaussian(tuple(input_spec.shape), shared=config.objective.family != "variational-autoencoder")
