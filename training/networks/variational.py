"""
The variational autoencoder.

Kingma & Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114. Additions from other papers:

- the weight beta of the KL term: Higgins et al., "beta-VAE", ICLR 2017
- the bound with several draws: Burda et al., "Importance Weighted Autoencoders", arXiv:1509.00519
- a prior that is trained with the network, in place of N(0, I): Chen et al., "Variational Lossy Autoencoder",
  arXiv:1611.02731. Difference: affine couplings in place of an autoregressive flow, so that sampling is one pass
- the label as an input of the decoder: Kingma et al., "Semi-supervised Learning with Deep Generative Models",
  arXiv:1406.5298. Difference: their encoder takes the label too, ours does not.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.config import VariationalObjective
from training.fitting.draws import Draws
from training.networks.base import Example, Network
from training.networks.likelihoods import Likelihood
from training.networks.objectives import (
    importance_weighted_bound,
    kl_to_standard_normal,
    kl_with_free_bits,
    log_normal,
    log_prior_ratio,
    reparameterise,
)
from training.networks.stacks import Stack
from training.priors.flows.realnvp import RealNVP

LOGVAR_LIMIT = 12.0
"""Bound on |logvar|: a standard deviation between 1/400 and 400 suits any posterior, and exp does not overflow."""


class VAE(Network):
    """q(z|x) = N(mu(x), diag(exp(logvar(x)))), p(z) = N(0, I) or a flow's density, p(x|z) = likelihood(decoder(z))."""

    def __init__(
        self,
        stack: Stack,
        likelihood: Likelihood,
        objective: VariationalObjective,
        classes: int = 0,
        prior: RealNVP | None = None,
    ) -> None:
        super().__init__(stack, likelihood, classes)
        self.objective = objective
        self.prior = prior

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return mu and logvar, each (B, latent_dim)."""
        mu, logvar = self.stack.down(x).float().chunk(2, dim=1)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def loss(self, example: Example, draws: Draws, beta: float = 1.0) -> dict[str, Tensor]:
        """Return the negative ELBO (for beta 1) or importance-weighted bound in nats per sample, and its two terms."""
        mu, logvar = self.posterior(example.x)
        if self.objective.importance_samples > 1:
            return self._importance_weighted(example, mu, logvar, draws, beta)
        noise = draws.normal(*mu.shape)
        z = reparameterise(mu, logvar, noise)
        reconstruction = self.likelihood.nll(self.decode(z, example.labels).float(), example.target).mean()
        if self.prior is not None:
            kl = (log_normal(logvar, noise) - self.log_prior(z)).mean()
            return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}
        kl = kl_to_standard_normal(mu, logvar).mean()
        penalty = kl_with_free_bits(mu, logvar, self.objective.free_bits) if self.objective.free_bits else kl
        return {"loss": reconstruction + beta * penalty, "reconstruction": reconstruction, "kl": kl}

    def log_prior(self, z: Tensor) -> Tensor:
        """Return log p(z) under the flow, in float32 whatever the precision of the networks. Shapes: (B, D) -> (B,)."""
        assert self.prior is not None
        with torch.autocast(z.device.type, enabled=False):
            return self.prior.log_density(z.float())

    def _importance_weighted(
        self, example: Example, mu: Tensor, logvar: Tensor, draws: Draws, beta: float
    ) -> dict[str, Tensor]:
        """Decode all draws at once. A beta other than 1 does not give a bound, but a warm-up needs it."""
        samples, (rows, latents) = self.objective.importance_samples, mu.shape
        noise = draws.normal(rows, samples, latents).transpose(0, 1)
        z = reparameterise(mu, logvar, noise)
        output = self.decode(z.flatten(0, 1), example.labels.repeat(samples)).float()
        target = example.target.repeat(samples, *[1] * (example.target.ndim - 1))
        nll = self.likelihood.nll(output, target).view(samples, rows)
        bound = importance_weighted_bound(-nll + beta * log_prior_ratio(z, logvar, noise))
        kl = kl_to_standard_normal(mu, logvar)
        return {"loss": -bound.mean(), "reconstruction": nll.mean(), "kl": kl.mean()}
