"""
The layers of encoders and decoders.

A layer is a pair: `down` maps its input to a narrower output, and `up` maps that back. A stack is a list of such pairs,
so that it can be trained as a whole or layer by layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from training.config import NetworkConfig, settled
from training.errors import InvalidConfiguration

Normalisation = Literal["group", "none"]
GROUPS = 8


class Layer(nn.Module):
    """One layer of a stack: `down` maps (B, *shape_in) to (B, *shape_out), `up` maps back."""

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down = down
        self.up = up


class Stack(nn.Module):
    """
    Layers from the samples inwards.

        x       (B, *input_shape)
        head    (B, head_dim)      output of the innermost `down`: latents, or mu and logvar side by side
        tail    (B, tail_dim)      input of the innermost `up`: latents, followed by a one-hot label if conditional
        output  (B, *input_shape)  the likelihood's parameters
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return (self.layer(depth) for depth in range(len(self)))

    def layer(self, depth: int) -> Layer:
        """Return the layer at a depth; 0 is the outermost."""
        layer = self.layers[depth]
        assert isinstance(layer, Layer)
        return layer

    def down(self, x: Tensor, depth: int | None = None) -> Tensor:
        """Return the output of the outermost `depth` layers, by default of all layers: the head."""
        for index in range(len(self) if depth is None else depth):
            x = self.layer(index).down(x)
        return x

    def up(self, tail: Tensor) -> Tensor:
        """Map the input of the innermost layer back to the output, through all layers."""
        for index in reversed(range(len(self))):
            tail = self.layer(index).up(tail)
        return tail


def normalise(channels: int, norm: Normalisation) -> nn.Module:
    """
    Build a normalisation of feature maps, by each sample alone: it is the same for any batch, and for any process.

    Source: Wu & He, "Group Normalization", arXiv:1803.08494
    """
    if norm == "none":
        return nn.Identity()
    return nn.GroupNorm(math.gcd(GROUPS, channels, max(1, channels // 4)), channels)


class ResidualBlock(nn.Module):
    """
    x + f(x) with two 3x3 convolutions.

    The second starts at zero, so that the block starts as the identity. Group normalisation, where it is wanted, comes
    before the first.

    Source: He et al., "Identity Mappings in Deep Residual Networks", arXiv:1603.05027; the zero start as in
    Zhang et al., "Fixup Initialization", arXiv:1901.09321, without its scalars.
    """

    def __init__(self, channels: int, norm: Normalisation) -> None:
        super().__init__()
        self.norm = normalise(channels, norm)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(torch.as_tensor(self.second.bias))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block. Shapes: (B, C, H, W) -> (B, C, H, W)."""
        hidden: Tensor = self.second(nn.functional.silu(self.first(nn.functional.silu(self.norm(x)))))
        return x + hidden


class Crop(nn.Module):
    """A crop to an odd size: doubling the halved size gives one row or column too many."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        """Drop the last rows and columns. Shapes: (B, C, >=H, >=W) -> (B, C, H, W)."""
        return x[..., : self.height, : self.width]


def conv_layer(
    shape: tuple[int, int, int], width: int, blocks: int, outermost: bool, norm: Normalisation = "none"
) -> Layer:
    """
    Build a layer that halves the size of images of `shape`, (channels, height, width).

    `down` is a strided convolution, then residual blocks; `up` is the mirror of it. `down` ends in an activation, and
    so does `up`, except in the outermost layer: its output is the likelihood's parameters.
    """
    channels, height, columns = shape
    down = nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2, padding=1),
        *(ResidualBlock(width, norm) for _ in range(blocks)),
        normalise(width, norm),
        nn.SiLU(),
    )
    up = nn.Sequential(
        *(ResidualBlock(width, norm) for _ in range(blocks)),
        normalise(width, norm),
        nn.SiLU() if blocks or norm != "none" else nn.Identity(),
        nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1),
        Crop(height, columns) if height % 2 or columns % 2 else nn.Identity(),
        nn.Identity() if outermost else nn.SiLU(),
    )
    return Layer(down, up)


def bottleneck(shape: tuple[int, ...], hidden: int, head_dim: int, tail_dim: int) -> Layer:
    """Build the innermost layer of a convolutional stack: two dense layers each way, and no activation on the head."""
    size = math.prod(shape)
    return Layer(
        nn.Sequential(nn.Flatten(), nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, head_dim)),
        nn.Sequential(
            nn.Linear(tail_dim, hidden),
            nn.SiLU(),
            nn.Linear(hidden, size),
            nn.Unflatten(1, shape),
            nn.SiLU(),
        ),
    )


def conv_stack(config: NetworkConfig, input_shape: tuple[int, ...], head_dim: int, tail_dim: int) -> Stack:
    """
    Build strided convolutions and a dense bottleneck. Raises InvalidConfiguration for vectors.

    The decoder's kernel is 4 at stride 2, so that overlaps are even and leave no checkerboard.
    Source: Odena et al., "Deconvolution and Checkerboard Artifacts", Distill 2016
    """
    if len(input_shape) != 3:
        raise InvalidConfiguration(
            "the network is convolutional, for images; vectors want --set network.architecture=dense"
        )
    channels, height, width = input_shape
    widths = settled(config.widths)
    blocks = config.residual_blocks or (0,) * len(widths)
    layers = []
    for index, (features, count) in enumerate(zip(widths, blocks, strict=True)):
        layers.append(conv_layer((channels, height, width), features, count, index == 0, config.normalisation))
        channels, height, width = features, (height + 1) // 2, (width + 1) // 2
    layers.append(bottleneck((channels, height, width), config.hidden, head_dim, tail_dim))
    return Stack(layers)


def dense_stack(config: NetworkConfig, input_shape: tuple[int, ...], head_dim: int, tail_dim: int) -> Stack:
    """
    Build fully connected layers of the configured widths.

    Source: Hinton & Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 2006;
    SiLU in place of the logistic unit.
    """
    sizes = (math.prod(input_shape), *settled(config.widths))
    layers = []
    for index, (wide, narrow) in enumerate(pairwise(sizes)):
        outermost = index == 0
        flatten = [nn.Flatten()] if outermost else []
        restore = [nn.Unflatten(1, input_shape)] if outermost else [nn.SiLU()]
        layers.append(
            Layer(
                nn.Sequential(*flatten, nn.Linear(wide, narrow), nn.SiLU()),
                nn.Sequential(nn.Linear(narrow, wide), *restore),
            )
        )
    layers.append(Layer(nn.Linear(sizes[-1], head_dim), nn.Sequential(nn.Linear(tail_dim, sizes[-1]), nn.SiLU())))
    return Stack(layers)


STACKS = {"conv": conv_stack, "dense": dense_stack}
