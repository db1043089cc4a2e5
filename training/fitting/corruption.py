"""Noise on the inputs of training. The service adds its own noise with numpy: `app.engine.corruption`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from app.inputs import ValueRange
from training.config import Binarisation, NoiseKind
from training.fitting.draws import Draws
from training.preprocessing import Preprocessor

Interval = tuple[float, float]


@dataclass(frozen=True)
class TrainingNoise:
    """The noise on the samples of a stage."""

    kind: NoiseKind
    interval: Interval
    value_range: ValueRange | None
    """Its span is the unit of the noise; without it, noise is added after the preprocessing."""
    power: float = 1.0
    """Above 1, small amounts of noise are likelier than large ones."""

    def add(self, samples: Tensor, preprocessing: Preprocessor, draws: Draws) -> Tensor:
        """Return noisy samples, preprocessed. Shapes: (B, *shape) -> (B, *shape)."""
        levels = draw_levels(len(samples), samples.ndim, self.interval, self.power, draws)
        if self.value_range is None:
            return corrupt(preprocessing(samples), self.kind, levels, False, draws)
        low, span = self.value_range.low, self.value_range.span
        noisy = corrupt((samples - low) / span, self.kind, levels, True, draws)
        x: Tensor = preprocessing(low + span * noisy)
        return x


def draw_levels(rows: int, axes: int, interval: Interval, power: float, draws: Draws) -> Tensor:
    """
    Return an amount of noise for each row: in the interval, at the place of a uniform number to the `power`.

    Shape: (rows, 1, …), of `axes` axes
    """
    low, high = interval
    return low + (high - low) * draws.uniform(rows, *[1] * (axes - 1)) ** power


def corrupt(x: Tensor, noise: NoiseKind, level: Tensor | float, unit_interval: bool, draws: Draws) -> Tensor:
    """
    Return noisy x. The level, an amount of noise, is one number, or one for each sample.

    gaussian: adds noise of that standard deviation. masking: sets that share of the numbers to 0, which is black or the
    mean of a standardised column. salt-and-pepper: sets that share to 0 or 1. `unit_interval` clips Gaussian noise to
    [0, 1], because samples sent to the service lie in the value range too.
    Shapes: (B, *shape) and (B, 1, …) -> (B, *shape)
    """
    if noise == "gaussian":
        noisy = x + level * draws.normal(*x.shape)
        return noisy.clamp(0, 1) if unit_interval else noisy
    uniform = draws.uniform(*x.shape)
    if noise == "masking":
        return torch.where(uniform < level, 0.0, x)
    return torch.where(uniform < level / 2, 0.0, torch.where(uniform > 1 - level / 2, 1.0, x))


def relative_noise(values: Tensor, std: float, draws: Draws) -> Tensor:
    """
    Add Gaussian noise of `std` times the standard deviation that the values have over the batch; do not clip.

    Shapes: (B, *shape) -> (B, *shape)
    """
    return values + std * draws.spread(values) * draws.normal(*values.shape).to(values.dtype)


def binarise(x: Tensor, method: Binarisation, draws: Draws) -> Tensor:
    """
    Replace x in [0, 1] by zeros and ones: `dynamic` draws 1 with probability x, `threshold` rounds at 1/2.

    Shapes: (B, *shape) -> (B, *shape)
    """
    match method:
        case "dynamic":
            return (draws.uniform(*x.shape) < x).to(x.dtype)
        case "threshold":
            return (x >= 0.5).to(x.dtype)
    return x
