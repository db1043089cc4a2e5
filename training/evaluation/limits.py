"""Bounds on the rows that an evaluation holds in memory or measures slow methods on."""

from __future__ import annotations

from dataclasses import dataclass

from training.evaluation.baselines import EXACT_FEATURES


@dataclass(frozen=True)
class RowLimit:
    """The most rows, and the most numbers in all their samples."""

    rows: int
    numbers: int

    def count(self, sample_size: int) -> int:
        """Return the most rows within the limit, at least one, if a sample has `sample_size` numbers."""
        return max(1, min(self.rows, self.numbers // sample_size))


@dataclass(frozen=True)
class Limits:
    """Bounds of an evaluation; with the defaults, it holds about a GiB of float32 at most."""

    chunk: RowLimit = RowLimit(1024, 2**22)
    """Rows held as float32 at a time, wherever all rows are processed."""
    baseline: RowLimit = RowLimit(60_000, 2**27)
    """Training rows that PCA and the classifiers of latents are fitted on."""
    neighbourhood: RowLimit = RowLimit(2_000, 2**26)
    """Test rows among which neighbours are compared: this takes time quadratic in the rows."""
    denoised: RowLimit = RowLimit(2**26, 2**26)
    """Test rows that are denoised: the noise of all of them is drawn at once."""
    ridge: RowLimit = RowLimit(20_000, 2**26)
    """Training rows that the ridge denoiser is fitted on: more rows change its third digit."""
    max_ridge_features: int = EXACT_FEATURES
    """Numbers of a sample above which no ridge denoiser is fitted."""
    slow_denoiser: RowLimit = RowLimit(1_000, 2**22)
    """Test rows, the first ones, for the methods that take milliseconds for each image."""
    tuning: RowLimit = RowLimit(200, 2**20)
    """Training rows that the strengths of those methods are chosen on."""
    decoded: RowLimit = RowLimit(1024, 2**20)
    """Importance samples that are decoded at a time."""
    generated: RowLimit = RowLimit(10_000, 2**25)
    """Generated samples, and as many test rows that they are compared with: this takes time quadratic in the rows."""
    bank: RowLimit = RowLimit(60_000, 2**26)
    """Training rows among which the nearest to a generated sample is looked for."""
    progress_seconds: float = 30.0
    """Seconds between two log messages of a long estimate."""


DEFAULT_LIMITS = Limits()
