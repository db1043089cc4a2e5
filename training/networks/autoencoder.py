"""
The autoencoder.

Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 313 (2006).
Differences: no pretraining with Boltzmann machines; SiLU units; optional convolutions; an optional L1 penalty on the
latents, for a sparse autoencoder.
"""

from __future__ import annotations

from torch import Tensor

from training.fitting.draws import Draws
from training.networks.base import Example, Network
from training.networks.likelihoods import Gaussian, Likelihood
from training.networks.objectives import l1_norm, neighbour_nll
from training.networks.stacks import Stack


class Autoencoder(Network):
    """z = encoder(x), p(x|z) = likelihood(decoder(z))."""

    def __init__(self, stack: Stack, likelihood: Likelihood, sparsity: float = 0.0, neighbours: float = 0.0) -> None:
        super().__init__(stack, likelihood)
        self.sparsity, self.neighbours = sparsity, neighbours

    @property
    def criterion(self) -> str:
        """Return `mse` under a Gaussian, whose learned variance judges the rows and not the reconstructions."""
        return "mse" if isinstance(self.likelihood, Gaussian) and not self.sparsity else "loss"

    def loss(self, example: Example, draws: Draws, beta: float = 1.0) -> dict[str, Tensor]:
        """
        Return the target's negative log-likelihood in nats per sample, plus the weighted L1 norm of the latents.

        Paired rows add the weighted loss of neighbours.
        """
        return self.terms(self.encode(example.x), example)

    def terms(self, z: Tensor, example: Example) -> dict[str, Tensor]:
        """Return the loss and its terms from the latents. Shape of z: (B, latent_dim)."""
        output = self.decode(z).float()
        reconstruction = self.likelihood.nll(output, example.target).mean()
        terms = {"loss": reconstruction}
        if self.sparsity:
            penalty = self.sparsity * l1_norm(z.float()).mean()
            terms = {"loss": reconstruction + penalty, "reconstruction": reconstruction, "penalty": penalty}
        if self.neighbours and example.paired:
            terms["neighbours"] = neighbour_nll(z.float()).mean()
            terms["loss"] = terms["loss"] + self.neighbours * terms["neighbours"]
        if self.criterion == "mse":
            terms["mse"] = (output - example.target).square().mean()
        return terms
