"""
The variational autoencoder.

Kingma & Welling, "Auto-Encoding Variational Bayes", arXiv:1312.6114; the weight beta of the KL term from
Higgins et al., "beta-VAE", ICLR 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.networks.base import Network
from training.objectives import bernoulli_nll, kl_to_standard_normal, reparameterise

LOGVAR_LIMIT = 12.0
"""exp(12) is a standard deviation of 400: wider or narrower than any posterior, and far from overflow."""


class VAE(Network):
    """q(z|x) = N(mu(x), diag(exp(logvar(x)))), p(z) = N(0, I), p(x|z) = Bernoulli(sigmoid(decoder(z)))."""

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """mu and logvar, each (B, latent_dim)."""
        mu, logvar = self.stack.down(x).float().chunk(2, dim=1)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)

    def loss(self, x: Tensor, target: Tensor, beta: float, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Negative ELBO (for beta = 1) in nats per sample, and its two terms."""
        mu, logvar = self.posterior(x)
        z = reparameterise(mu, logvar, generator)
        reconstruction = bernoulli_nll(self.decode(z).float(), target).mean()
        kl = kl_to_standard_normal(mu, logvar).mean()
        return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}
