"""The score, its p-value and its attribution as a network of samples, latents and reconstructions."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from app.scorers import ScorePart
from training.scorers.features import FeatureGraph, Features
from training.scorers.parts import Evidence, FlowSurprise, NearestRow, ReconstructionError, Surprise
from training.scorers.tails import Tail, TailGraph

WEIGHTS: dict[ScorePart, float] = {"reconstruction": 0.1, "neighbours": 2.0, "sample-density": 1.0}
"""
The weight of each part's surprise, of samples that are small enough to be compared themselves.

Chosen once, by the mean over ADBench's 14 tables: the errors of tables say little.
"""
LARGE_WEIGHTS: dict[ScorePart, float] = {"reconstruction": 1.0, "neighbours": 1.0, "latent-density": 1.0}
"""
The weights of samples that are compared by their latents, such as pictures.

They are equal. More of the density finds more foreign digits, and fewer small defects; more of the error the reverse.
"""
VALUES: dict[ScorePart, int] = {"neighbours": 2}
"""The values of a part that has more than one; they share its weight."""
EVIDENCE_SHARE = 1.0
"""The weight of a variational model's evidence, in units of the reconstruction's. Not tuned."""
ROUNDING = 1e-4
"""Difference of scores, relative to one above 1, up to which a calibration row counts as being as strange."""


class ScorerGraph(nn.Module):
    """
    The weighted mean of the parts' surprises, and its rank among the calibration rows.

        samples, reconstructions  (B, *input_shape)  in the user's units
        latents                   (B, D)             the encoder's; of a variational model, the means
        logvar                    (B, D)             of a variational model, that of the posterior

    Source of the p-value: Laxhammar & Falkman, "Conformal prediction for distribution-independent anomaly detection in
    streaming vessel data", 2010
    """

    calibration: Tensor

    def __init__(
        self,
        features: FeatureGraph,
        reconstruction: ReconstructionError,
        nearest: NearestRow,
        density: Surprise | FlowSurprise,
        evidence: Evidence | None = None,
        *,
        has_small_samples: bool,
        counts_errors: bool = True,
    ) -> None:
        super().__init__()
        self.features, self.reconstruction, self.nearest = features, reconstruction, nearest
        self.density, self.evidence = density, evidence
        self.density_is_prior = evidence is not None and evidence.prior is density
        self.counts_errors = counts_errors
        weights = dict(WEIGHTS if has_small_samples else LARGE_WEIGHTS)
        if evidence:
            weights["evidence"] = EVIDENCE_SHARE * weights["reconstruction"]
        if not counts_errors:
            del weights["reconstruction"]
        self.parts: tuple[ScorePart, ...] = tuple(weights)
        shares: list[float] = []
        for part, weight in weights.items():
            count = VALUES.get(part, 1)
            shares += [weight / sum(weights.values()) / count] * count
        self.shares = tuple(shares)
        self.tails = nn.ModuleList()
        self.register_buffer("calibration", torch.zeros(0))

    def set_tails(self, tails: list[Tail]) -> None:
        """Set the tail of each value that `values` returns."""
        self.tails = nn.ModuleList(TailGraph(tail) for tail in tails)

    def set_calibration(self, scores: Tensor) -> None:
        """Set the scores of the calibration rows."""
        self.calibration = scores.sort().values

    def values(self, features: Features) -> tuple[Tensor, ...]:
        """Return the error, if it counts, two distances, the density's surprise and any evidence. Shape: (B,) each."""
        surprise = self.density(features)
        errors = (self.reconstruction.largest(features),) if self.counts_errors else ()
        values = *errors, *self.nearest(features), surprise
        if not self.evidence:
            return values
        return *values, self.evidence(features, surprise if self.density_is_prior else None)

    def score(self, values: tuple[Tensor, ...]) -> Tensor:
        """Return the weighted mean of the surprises at the parts' values, in nats. Shape: (B,)."""
        surprises = [share * tail(value) for share, tail, value in zip(self.shares, self.tails, values, strict=True)]
        return cast(Tensor, sum(surprises))

    def forward(
        self, samples: Tensor, latents: Tensor, reconstructions: Tensor, logvar: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return score, p-value and attribution. Shapes: (B,), (B,) and (B, *input_shape)."""
        features = self.features(samples, latents, reconstructions, logvar)
        attribution = self.reconstruction(features)
        score = self.score(self.values(features))
        threshold = score - ROUNDING * score.abs().clamp(min=1)
        stranger = (self.calibration >= threshold.unsqueeze(1)).sum(dim=1)
        return score, (stranger + 1) / (len(self.calibration) + 1), attribution
