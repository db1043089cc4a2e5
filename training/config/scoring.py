"""The section of the scorer: the rows that it is calibrated on, and its bank of nearest neighbours."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from training.config.sections import Auto, Section


class ScorerConfig(Section):
    """The measure of how strange a sample is, and the rows that its p-values compare samples with."""

    kind: Literal["auto", "none"] = "auto"
    """
    `auto`: a scorer, if there are rows enough to calibrate it and the model is not conditional. `none`: no scorer, and
    all rows of the training part are trained on.
    """
    calibration: Annotated[float, Field(gt=0.0, le=0.5)] | Auto = "auto"
    """
    Share of the training part that only the scorer's p-values see: neither the network nor early stopping does. `auto`:
    a tenth, at most 2 000; none of fewer than 190 rows, since 19 are needed for p-values down to 0.05.
    """
    bank_rows: Annotated[int, Field(ge=2, le=10_000)] = 10_000
    """Rows among which the nearest to a sample is looked for: a random choice of the training and validation rows."""
