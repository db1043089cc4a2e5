"""Copies of images that training makes: shifted by a few pixels, and mirrored."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from training.config import AugmentationConfig
from training.fitting.draws import Draws


def augment(samples: Tensor, options: AugmentationConfig, draws: Draws) -> Tensor:
    """
    Return each image mirrored with probability 1/2, and moved by up to `shift` pixels along each axis.

    Pixels that enter at an edge repeat that edge. Shapes: (B, C, H, W) -> (B, C, H, W)
    """
    if options.flip is True:
        mirrored = draws.uniform(len(samples)) < 0.5
        samples = torch.where(mirrored[:, None, None, None], samples.flip(3), samples)
    if isinstance(options.shift, int) and options.shift:
        samples = _shifted(samples, options.shift, draws)
    return samples


def _shifted(samples: Tensor, most: int, draws: Draws) -> Tensor:
    height, width = samples.shape[2:]
    padded = F.pad(samples, (most, most, most, most), mode="replicate")
    rows = _offsets(len(samples), most, draws)[:, None] + torch.arange(height, device=samples.device)
    columns = _offsets(len(samples), most, draws)[:, None] + torch.arange(width, device=samples.device)
    image = torch.arange(len(samples), device=samples.device)[:, None, None]
    moved = padded[image, :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()


def _offsets(count: int, most: int, draws: Draws) -> Tensor:
    """Return whole numbers from 0 to twice `most`. Shape: (count,)."""
    return (draws.uniform(count) * (2 * most + 1)).long().clamp(max=2 * most)
