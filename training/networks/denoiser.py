"""
The denoiser: a network from noisy to clean samples, around the bottleneck of the stack.

It predicts the noise and is blind to its level. Beside the noisy sample, it sees the stack's reconstruction of it: what
is likely as a whole, where the noise leaves no details. With all weights zero, it returns its input.

Sources: Zhang et al., "Beyond a Gaussian Denoiser", arXiv:1608.03981 (prediction of the noise, blind to its level);
Ronneberger et al., "U-Net", arXiv:1505.04597 (skip connections). Differences: residual blocks without normalisation,
sums in place of concatenations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from training.networks.stacks import Crop, ResidualBlock

UNITS, DENSE_BLOCKS = 256, 2
"""Hidden units and residual blocks of the denoiser of vectors."""
MAX_DEVIATION = 3.0
"""Standard deviations up to which hidden layers tell numbers apart: training shows them too few outliers."""
MAX_LINEAR_SIZE = 256
"""Numbers of an image up to which a linear map joins: it helps at 8 x 8 pixels, not at 28 x 28 (decision 35)."""
MARGIN = 0.005
"""Distance from black and white within which the cross-entropy makes no difference."""
ERROR_FLOOR = 1e-4
"""Added to a sample's mean squared error before its logarithm: below 40 dB, an error is not worth others' details."""

Bounds = tuple[Tensor, Tensor]


class Denoiser(nn.Module):
    """
    x minus the predicted noise.

        x       (B, *input_shape)  preprocessed, noisy or clean
        guide   (B, *input_shape)  the stack's reconstruction of x
        output  (B, *input_shape)  an estimate of the clean samples
    """

    def __init__(self, predictor: nn.Module) -> None:
        super().__init__()
        self.predictor = predictor

    def noise(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return the predicted noise. Shapes: (B, *input_shape) and (B, *input_shape) -> (B, *input_shape)."""
        predicted: Tensor = self.predictor(x, guide)
        return predicted.float()

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return x without the noise. Shapes: (B, *input_shape) and (B, *input_shape) -> (B, *input_shape)."""
        return x - self.noise(x, guide)

    def loss(
        self, noisy: Tensor, guide: Tensor, clean: Tensor, bounds: Bounds | None = None, crowded: bool = False
    ) -> dict[str, Tensor]:
        """
        Return the loss, a mean over the batch in nats per sample.

        `bounds`, of the shape of a sample, are the ends of the value range, to which the served samples are clipped:
        an output beyond them is as good as one at them. `crowded` adds the cross-entropy, for samples whose values
        crowd at 0 and 1.
        """
        output = self(noisy, guide)
        if bounds:
            output = clip_values(output, *bounds)
        nats = best_variance_nll(output, clean)
        return {"loss": (nats + inner_cross_entropy(output, clean) if crowded else nats).mean()}


def clip_values(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """
    Clip x, but pass its gradient on unchanged, so that numbers beyond the bounds find their way back.

    Shapes: (B, *shape) and twice one that broadcasts to it -> (B, *shape)
    Source: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432
    """
    return x + (x.clamp(low, high) - x).detach()


def inner_cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """
    Return the cross-entropy in nats per sample, of numbers that are clipped to [MARGIN, 1 - MARGIN].

    So black and white cost the same wherever they are right, and a bounded number of nats where they are wrong.
    Shapes: (B, *shape) and (B, *shape) -> (B,)
    """
    low, high = output.new_tensor(MARGIN), output.new_tensor(1 - MARGIN)
    q, p = clip_values(output, low, high), target.clamp(low, high)
    return -(p * q.log() + (1 - p) * (1 - q).log()).flatten(1).sum(1)


def best_variance_nll(output: Tensor, target: Tensor) -> Tensor:
    """
    Return -log N(target; output, v I) in nats per sample, where v is the sample's own mean squared error.

    No other v makes it smaller. Samples with little noise weigh as much as samples with much: halving any sample's
    error gains the same, which is also the same in decibels.
    Shapes: (B, *shape) and (B, *shape) -> (B,)
    """
    errors = (output - target).square().flatten(1)
    return 0.5 * errors.shape[1] * ((errors.mean(1) + ERROR_FLOOR).log() + 1 + math.log(2 * math.pi))


class UNet(nn.Module):
    """
    The noise of images, from residual blocks at several resolutions with skip connections between equal ones.

    Each resolution is half the one before, the first is that of the images. Any size of at least one pixel works. Very
    small images get a linear map, too: what is likely at a pixel depends on its place.
    """

    def __init__(self, shape: tuple[int, int, int], widths: Sequence[int]) -> None:
        super().__init__()
        channels, *size = shape
        self.entry = nn.Conv2d(2 * channels, widths[0], 3, padding=1)
        levels = []
        for width, next_width in pairwise(widths):
            levels.append(Level(width, next_width, (size[0], size[1])))
            size = [-(-side // 2) for side in size]
        self.levels = nn.ModuleList(levels)
        self.innermost = ResidualBlock(widths[-1], "none")
        self.exit = nn.Conv2d(widths[0], channels, 3, padding=1)
        start_at_zero(self.exit)
        numbers = math.prod(shape)
        self.linear = nn.Linear(numbers, numbers) if numbers <= MAX_LINEAR_SIZE else None
        if self.linear:
            start_at_zero(self.linear)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return the noise. Shapes: (B, C, H, W) and (B, C, H, W) -> (B, C, H, W)."""
        hidden, skips = self.entry(torch.cat([x, guide], 1)), []
        levels = [level for level in self.levels if isinstance(level, Level)]
        for level in levels:
            skips.append(level.before(hidden))
            hidden = level.shrink(skips[-1])
        hidden = self.innermost(hidden)
        for level, skip in zip(reversed(levels), reversed(skips), strict=True):
            hidden = level.after(skip + level.enlarge(hidden))
        noise: Tensor = self.exit(F.silu(hidden))
        if self.linear:
            noise = noise + self.linear(x.flatten(1)).view_as(x)
        return noise


class Level(nn.Module):
    """One resolution of a U-Net and the way to the next: blocks before and after it, and the change of size."""

    def __init__(self, width: int, next_width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.before, self.after = ResidualBlock(width, "none"), ResidualBlock(width, "none")
        self.shrink = nn.Conv2d(width, next_width, 3, stride=2, padding=1)
        self.enlarge = nn.Sequential(nn.ConvTranspose2d(next_width, width, 4, stride=2, padding=1), Crop(*size))


class DenseNoise(nn.Module):
    """The noise of vectors: a linear map, as of a ridge denoiser, plus layers that do not see how far outliers lie."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * size, size)
        self.entry = nn.Linear(2 * size, UNITS)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(UNITS, UNITS), nn.SiLU(), nn.Linear(UNITS, UNITS))
            for _ in range(DENSE_BLOCKS)
        )
        self.exit = nn.Linear(UNITS, size)
        start_at_zero(self.linear, self.exit)

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """Return the noise. Shapes: (B, *shape) and (B, *shape) -> (B, *shape)."""
        flat = torch.cat([x.flatten(1), guide.flatten(1)], 1)
        hidden = self.entry(flat.clamp(-MAX_DEVIATION, MAX_DEVIATION))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        noise: Tensor = self.linear(flat) + self.exit(F.silu(hidden))
        return noise.view_as(x)


def build_denoiser(shape: tuple[int, ...], widths: Sequence[int]) -> Denoiser:
    """Build an untrained denoiser, which returns its input: a U-Net of these widths for images, else dense layers."""
    if len(shape) == 3:
        return Denoiser(UNet((shape[0], shape[1], shape[2]), widths))
    return Denoiser(DenseNoise(math.prod(shape)))


def start_at_zero(*layers: nn.Conv2d | nn.Linear) -> None:
    """Set all weights of some layers to zero."""
    for layer in layers:
        for weight in layer.parameters():
            nn.init.zeros_(weight)
