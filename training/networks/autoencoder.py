"""
The autoencoder.

Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313 (2006).
Differences: no Boltzmann machines to start from; SiLU units; convolutions where the configuration asks for them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.networks.base import Network
from training.objectives import bernoulli_nll


class Autoencoder(Network):
    """z = encoder(x), p(x|z) = Bernoulli(sigmoid(decoder(z)))."""

    def loss(self, x: Tensor, target: Tensor, beta: float, generator: torch.Generator | None) -> dict[str, Tensor]:
        """Negative log-likelihood of the target in nats per sample."""
        return {"loss": bernoulli_nll(self.decode(self.encode(x)).float(), target).mean()}
