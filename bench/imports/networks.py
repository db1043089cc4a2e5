"""Small networks whose halves `bench.imports.torch_pairs` exports."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CLASSES = 3
"""Labels of the conditional networks."""


class Heads(nn.Module):
    """An encoder with a mean, a spread and perhaps a draw."""

    def __init__(self, draw: bool = False, features: int = 10) -> None:
        super().__init__()
        self.mean, self.spread, self.draw = nn.Linear(features, 3), nn.Linear(features, 3), draw

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the heads."""
        mean, spread = self.mean(x), self.spread(x)
        return (mean, spread, mean + torch.exp(spread) * torch.randn_like(mean)) if self.draw else (mean, spread)


class Recurrent(nn.Module):
    """An encoder of windows of 24 steps and 3 channels."""

    def __init__(self, cell: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.cell, self.head = cell(3, 16, batch_first=True), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        """Return the latents of the last step."""
        latents: Tensor = self.head(self.cell(x)[0][:, -1])
        return latents


class Unrolled(nn.Module):
    """A decoder of windows that repeats the latents at each step."""

    def __init__(self, cell: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.cell, self.head = cell(16, 3, batch_first=True), nn.Linear(4, 16)

    def forward(self, z: Tensor) -> Tensor:
        """Return the window."""
        steps: Tensor = self.cell(self.head(z).unsqueeze(1).repeat(1, 24, 1))[0]
        return steps


class Conditional(nn.Module):
    """A layer that sees rows beside a one-hot label, or beside the embedding of an index."""

    def __init__(self, size: int, out: int, indices: bool) -> None:
        super().__init__()
        self.labels = nn.Embedding(CLASSES, 5) if indices else nn.Identity()
        self.layer = nn.Linear(size + (5 if indices else CLASSES), out)

    def forward(self, rows: Tensor, label: Tensor) -> Tensor:
        """Return the layer's numbers."""
        numbers: Tensor = self.layer(torch.cat([rows, self.labels(label)], 1))
        return numbers


class Two(nn.Module):
    """A decoder with a mean and a spread, or with a reconstruction and its logits."""

    def __init__(self, logits: bool = False) -> None:
        super().__init__()
        self.mean, self.spread, self.logits = nn.Linear(3, 10), nn.Linear(3, 10), logits

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return both outputs."""
        mean = self.mean(z)
        return (torch.sigmoid(mean), mean) if self.logits else (mean, self.spread(z))


class Whole(nn.Module):
    """A whole variational autoencoder in one graph."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Heads(draw=True), nn.Linear(3, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the reconstruction, the mean and the spread."""
        mean, spread, draw = self.encoder(x)
        return self.decoder(draw), mean, spread


class Counts(nn.Module):
    """An encoder of counts."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the latents of the counts' logarithms."""
        latents: Tensor = self.layer(torch.log1p(x))
        return latents
