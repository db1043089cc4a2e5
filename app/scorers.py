"""Scorers of anomalies, as the manifest describes them; `app.manifest` is the contract as a whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.inputs import Contract, Dimension

ScorePart = Literal["reconstruction", "neighbours", "latent-density", "sample-density", "evidence"]


class FittedScorer(Contract):
    """The measure of strangeness that `scorer.onnx` computes, and the rows that its p-values compare samples with."""

    parts: Annotated[tuple[ScorePart, ...], Field(min_length=1)]
    """
    The parts that the score is fused from.

    `reconstruction` is the error of reconstructed samples, standardised by feature; `neighbours` the distance to the
    nearest rows of a bank; `latent-density` -log p(z); `sample-density` -log p(x), for small samples; `evidence` the
    negative ELBO.
    """
    bank_rows: Annotated[int, Field(ge=0)]
    """The rows that the nearest neighbours are looked for in; 0 if they are not a part."""
    calibration_rows: Dimension
    """The rows n of the last conformal step: the smallest p-value is 1 / (n + 1)."""
    fitted_on: str
    """The rows that the parts were fitted on, and those that calibrated them."""
