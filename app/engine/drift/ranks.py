"""The calibration rows of a scorer along each latent, as `scorer.onnx` has them in its metadata."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import model_validator

from app.inputs import Contract

MAX_LATENT_EDGES = 15
"""Edges along a latent: they make 16 bins of about the same number of calibration rows."""


class LatentRanks(Contract):
    """The calibration rows along one latent: ascending numbers, and how many of the rows are at most each."""

    edges: tuple[float, ...]
    ranks: tuple[int, ...]

    @model_validator(mode="after")
    def _ascend_together(self) -> Self:
        if len(self.edges) != len(self.ranks) or len(self.edges) > MAX_LATENT_EDGES:
            raise ValueError(f"expected as many edges as ranks, at most {MAX_LATENT_EDGES}")
        for numbers in (self.edges, self.ranks):
            if any(second <= first for first, second in pairwise(numbers)):
                raise ValueError("edges and ranks must ascend")
        return self


class CalibratedLatents(Contract):
    """
    The calibration rows along each latent, for drift.

    They are in the metadata of `scorer.onnx`, since a manifest with thousands of numbers could not be read.
    """

    latents: tuple[LatentRanks, ...]
