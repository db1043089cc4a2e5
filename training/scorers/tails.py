"""
Conformal tails: the surprise at a value, from the values of rows that were held out.

The surprise is -log p in nats, where p is the share of held-out values that are as large. So parts of a score that have
different units become comparable. Between the held-out values it is interpolated, and beyond them it goes on as that of
an exponential distribution: a rank alone would be the same for all values beyond the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Numbers = npt.NDArray[np.float64]

MAX_KNOTS = 64
"""Held-out values between which the surprise is interpolated; they are evenly spaced in the surprise."""
MIN_GAP = 1e-3
"""The least distance of two knots, in units of the range of the held-out values."""
TAIL_SHARE, MIN_TAIL_ROWS = 0.1, 3
"""The largest held-out values whose mean excess is the scale of the exponential beyond them."""


@dataclass(frozen=True)
class Tail:
    """A piecewise linear function from values to surprises."""

    knots: Numbers
    """(K,), increasing."""
    surprises: Numbers
    """(K,): those at the knots."""
    slopes: Numbers
    """(K,): after each knot; the last one goes on for ever."""

    @classmethod
    def of(cls, values: Numbers) -> Tail:
        """Fit a tail to at least one held-out value. Shape: (N,)."""
        ordered, count = np.sort(np.asarray(values, np.float64)), len(values)
        knots, first = np.unique(_merged(ordered), return_index=True)
        surprises = -np.log((count - first - 0.5) / (count + 1))
        if len(knots) > MAX_KNOTS:
            wanted = np.linspace(surprises[0], surprises[-1], MAX_KNOTS)
            chosen = np.unique([0, *np.abs(surprises[:, None] - wanted).argmin(axis=0), len(knots) - 1])
            knots, surprises = knots[chosen], surprises[chosen]
        inner = np.diff(surprises) / np.diff(knots)
        return cls(knots, surprises, np.append(inner, 1 / _excess(ordered)))

    def surprise(self, values: Numbers) -> Numbers:
        """Return the surprise at each value; below the smallest held-out value it is constant. Shape: (N,) -> (N,)."""
        index = np.searchsorted(self.knots, values, side="right").clip(1) - 1
        above: Numbers = np.maximum(values - self.knots[index], 0)
        surprises: Numbers = self.surprises[index] + self.slopes[index] * above
        return surprises


def _merged(ordered: Numbers) -> Numbers:
    """Return sorted values, each rounded down to a multiple of MIN_GAP: rounding would tell nearer ones apart."""
    gap = MIN_GAP * (ordered[-1] - ordered[0])
    return ordered if gap == 0 else ordered[0] + gap * np.floor((ordered - ordered[0]) / gap)


def _excess(ordered: Numbers) -> float:
    """Return the mean excess of the largest values over the smallest of them; above 0."""
    largest = ordered[-max(MIN_TAIL_ROWS, round(TAIL_SHARE * len(ordered))) :]
    excess = float((largest - largest[0]).mean())
    smallest = 1e-6 * max(1.0, float(np.abs(ordered).max()))
    return max(excess, smallest)


class TailGraph(nn.Module):
    """A tail as a network. Shape: (B,) -> (B,)."""

    knots: Tensor
    surprises: Tensor
    slopes: Tensor

    def __init__(self, tail: Tail) -> None:
        super().__init__()
        for name in ("knots", "surprises", "slopes"):
            self.register_buffer(name, torch.from_numpy(getattr(tail, name).astype(np.float32)))

    def forward(self, values: Tensor) -> Tensor:
        """Return the surprise at each value."""
        index = ((values.unsqueeze(1) >= self.knots).sum(dim=1) - 1).clamp(min=0)
        return self.surprises[index] + self.slopes[index] * (values - self.knots[index]).clamp(min=0)
