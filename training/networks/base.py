"""The base class of all networks, and the batch that a loss is computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from training.fitting.draws import Draws
from training.networks.denoiser import Denoiser
from training.networks.likelihoods import Likelihood
from training.networks.stacks import Stack


@dataclass(frozen=True)
class Example:
    """
    A batch, prepared for a loss.

        x       (B, *input_shape)  the encoder's input
        target  (B, *input_shape)  the samples to reconstruct: x itself, or the clean samples if x is noisy
        labels  (B,)               int64, for the decoder of a conditional network or a classifier
        paired  True if rows 2i and 2i + 1 are neighbours
    """

    x: Tensor
    target: Tensor
    labels: Tensor
    paired: bool = False


class Network(nn.Module):
    """
    An encoder and a decoder that are trained together. Subclasses define the loss.

        x       (B, *input_shape)  preprocessed: in [0, 1] for a Bernoulli likelihood
        z       (B, latent_dim)
        output  (B, *input_shape)  the likelihood's parameters; its mean is the reconstruction
    """

    def __init__(self, stack: Stack, likelihood: Likelihood, classes: int = 0) -> None:
        super().__init__()
        self.stack = stack
        self.likelihood = likelihood
        self.classes = classes
        self.denoiser: Denoiser | None = None
        """Trained in a stage of its own, and used by the task denoise only. Without it, denoising is `reconstruct`."""

    def pair_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters of the encoder, the decoder and the likelihood: all but the denoiser's."""
        denoiser = set(self.denoiser.parameters()) if self.denoiser else set()
        return (weight for weight in self.parameters() if weight not in denoiser)

    @property
    def criterion(self) -> str:
        """Return the name of the term that decides, on held-out rows, which weights are kept."""
        return "loss"

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the encoder's outputs: (z,), or (mu, logvar) if the network is variational."""
        return (self.stack.down(x),)

    def encode(self, x: Tensor) -> Tensor:
        """Return the latents of x, without randomness: those of a variational network are the posterior mean."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the likelihood's parameters. A conditional network requires labels, (B,)."""
        if self.classes:
            assert labels is not None, "a conditional network decodes with labels"
            z = torch.cat([z, F.one_hot(labels, self.classes).to(z.dtype)], dim=1)
        return self.stack.up(z)

    def reconstruct(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the mean of p(x|z) at the latents of x."""
        return self.likelihood.mean(self.decode(self.encode(x), labels))

    def denoise(self, x: Tensor) -> Tensor:
        """Return x without its noise. Shapes: (B, *input_shape) -> (B, *input_shape)."""
        guide = self.reconstruct(x)
        return self.denoiser(x, guide) if self.denoiser else guide

    def loss(self, example: Example, draws: Draws, beta: float = 1.0) -> dict[str, Tensor]:
        """
        Return the quantity to minimise as `loss`, and its terms by name, each a mean over the batch in nats per sample.

        `beta` is the weight of the KL term of a variational network; other networks ignore it.
        """
        raise NotImplementedError
