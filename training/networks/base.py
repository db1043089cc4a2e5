"""What every family has in common: a stack, an encoder, a decoder, and a loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.networks.stacks import Stack


class Network(nn.Module):
    """
    An encoder and a decoder that are trained together.

        x       (B, *input_shape)  in [0, 1]
        z       (B, latent_dim)
        logits  (B, *input_shape)  sigmoid(logits) is the reconstruction
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """What the encoder graph gives: (z,), or (mu, logvar) of a variational model."""
        return (self.stack.down(x),)

    def encode(self, x: Tensor) -> Tensor:
        """The latents of x; the posterior mean, of a variational model. Deterministic."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """The logits of z's reconstruction."""
        return self.stack.up(z)

    def reconstruct(self, x: Tensor) -> Tensor:
        """sigmoid(decode(encode(x))), in [0, 1]."""
        return self.decode(self.encode(x)).sigmoid()

    def loss(self, x: Tensor, target: Tensor, beta: float, generator: torch.Generator | None) -> dict[str, Tensor]:
        """
        What is minimised under `loss`, and its terms, each the batch's mean in nats per sample.

        `target` is x itself, or the clean sample that x is a noisy version of. `beta` weighs the KL term of
        a variational model; the others ignore it.
        """
        raise NotImplementedError
