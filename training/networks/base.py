"""What every family has in common: a stack, a likelihood, an encoder, a decoder, and a loss."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from training.fitting.draws import Draws
from training.networks.likelihoods import Likelihood
from training.networks.stacks import Stack


@dataclass(frozen=True)
class Example:
    """
    A batch as a loss is given it.

        x       (B, *input_shape)  what the encoder sees
        target  (B, *input_shape)  what is to come back: x itself, or the clean sample that x is a noisy version of
        labels  (B,)               int64, for the decoder of a conditional network
    """

    x: Tensor
    target: Tensor
    labels: Tensor


class Network(nn.Module):
    """
    An encoder and a decoder that are trained together.

        x       (B, *input_shape)  preprocessed: in [0, 1] for a Bernoulli likelihood
        z       (B, latent_dim)
        output  (B, *input_shape)  the likelihood's parameters; its mean is the reconstruction
    """

    def __init__(self, stack: Stack, likelihood: Likelihood, classes: int = 0) -> None:
        super().__init__()
        self.stack = stack
        self.likelihood = likelihood
        self.classes = classes

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the encoder graph gives: (z,), or (mu, logvar) of a variational model."""
        return (self.stack.down(x),)

    def encode(self, x: Tensor) -> Tensor:
        """The latents of x; the posterior mean, of a variational model. Deterministic."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The likelihood's parameters; a conditional network is told the labels, (B,)."""
        if self.classes:
            assert labels is not None, "a conditional network decodes with labels"
            z = torch.cat([z, F.one_hot(labels, self.classes).to(z.dtype)], dim=1)
        return self.stack.up(z)

    def reconstruct(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """The mean of p(x|z) at the latents of x."""
        return self.likelihood.mean(self.decode(self.encode(x), labels))

    def loss(self, example: Example, draws: Draws, beta: float = 1.0) -> dict[str, Tensor]:
        """
        What is minimised under `loss`, and its terms, each the batch's mean in nats per sample.

        `beta` weighs the KL term of a variational model; the others ignore it.
        """
        raise NotImplementedError
