"""The means of loss terms over an epoch."""

from __future__ import annotations

import torch
from torch import Tensor

from training.fitting.ranks import sum_over_ranks


class EpochMeans:
    """The means of the loss terms over the rows of an epoch."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        self._values: dict[str, list[Tensor]] = {}

    def clear(self) -> None:
        """Forget all batches."""
        self._rows.clear()
        self._values.clear()

    def add(self, part: str, terms: dict[str, Tensor], rows: int) -> None:
        """Add a batch's terms. They stay on the device: reading them would make every step wait for it."""
        self._rows.setdefault(part, []).append(rows)
        for term, value in terms.items():
            self._values.setdefault(f"{part}/{term}", []).append(value.detach())

    def of(self, part: str) -> dict[str, float]:
        """Return the mean of each term, `part/term`, over all rows of all processes."""
        rows = torch.tensor(self._rows[part], dtype=torch.float64)
        values = {
            key: torch.stack(steps).cpu().double() for key, steps in self._values.items() if key.startswith(f"{part}/")
        }
        total, *sums = sum_over_ranks([rows.sum(), *((rows * steps).sum() for steps in values.values())])
        return {key: float(mean / total) for key, mean in zip(values, sums, strict=True)}
