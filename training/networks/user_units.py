"""Networks between samples in the user's units and latents: what an exported graph computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from app.inputs import ValueRange
from training.networks.base import Network
from training.preprocessing import Preprocessor

OUTPUT_NAMES = {1: ("latents",), 2: ("mu", "logvar")}
"""The names of an encoder's outputs, by their number."""


class EncoderGraph(nn.Module):
    """Samples in the user's units to latents, or to mu and logvar of a variational network."""

    def __init__(self, network: Network, preprocessing: Preprocessor) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        """Return one tensor for each of the output names. Shapes: (B, *input_shape) -> (B, latent_dim)."""
        return self.network.posterior(self.preprocessing(samples))


class DecoderGraph(nn.Module):
    """
    Latents to samples in the user's units; a conditional network takes labels too.

    The samples are clipped to the value range, if there is one: the mean of a Gaussian may lie beyond it.
    """

    def __init__(self, network: Network, preprocessing: Preprocessor, value_range: ValueRange | None) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.value_range = value_range

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples. Shapes: (B, latent_dim) and, of a conditional network, (B,) -> (B, *input_shape)."""
        mean = self.network.likelihood.mean(self.network.decode(latents, labels))
        return self.clip_to_range(self.preprocessing.inverse(mean))

    def clip_to_range(self, samples: Tensor) -> Tensor:
        """Clip samples to the value range, if there is one. Shapes: (B, *input_shape) -> (B, *input_shape)."""
        return clip_to_range(samples, self.value_range)

    def example_inputs(self, latents: Tensor) -> dict[str, Tensor]:
        """Return the graph's inputs by name: the latents and, for a conditional network, each label in turn."""
        if not self.network.classes:
            return {"latents": latents}
        return {"latents": latents, "labels": torch.arange(len(latents)) % self.network.classes}


class DenoiserGraph(nn.Module):
    """
    Noisy samples to clean ones, both in the user's units and within the value range, if there is one.

    Only the predicted noise is converted from the network's units. So where the network predicts none, the samples come
    back as they are, to the last digit, even beyond the quantiles that the preprocessing clips to.
    """

    def __init__(self, network: Network, preprocessing: Preprocessor, value_range: ValueRange | None) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.value_range = value_range

    def forward(self, samples: Tensor) -> Tensor:
        """Return the denoised samples. Shapes: (B, *input_shape) -> (B, *input_shape)."""
        x = self.preprocessing(samples)
        change = self.preprocessing.inverse(self.network.denoise(x)) - self.preprocessing.inverse(x)
        return clip_to_range(samples + change, self.value_range)


def clip_to_range(samples: Tensor, value_range: ValueRange | None) -> Tensor:
    """Clip samples to the value range, if there is one. Shapes: (B, *input_shape) -> (B, *input_shape)."""
    if value_range is None:
        return samples
    return samples.clamp(value_range.low, value_range.high)
