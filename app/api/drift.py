"""Drift of the served models: windows in the numbers that all workers share, reports about them, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from prometheus_client.metrics_core import Metric

from app.arrays import Array, Latents
from app.engine.catalog import Catalog
from app.engine.drift.bins import Bins
from app.engine.drift.latents import LatentBins, LatentDrift
from app.engine.drift.uniformity import Drift, measure_drift
from app.engine.drift.window import Window
from app.engine.served import ServedModel
from app.errors import Refused, UnsupportedTask
from app.manifest import Manifest
from app.server.counters import Counters
from app.server.metrics import Family
from app.settings import Settings

COUNTS, LATENT_COUNTS = "drift_p_values", "drift_latents"
"""The names of the counts of bins among the shared numbers."""
LABELS = ("model", "version")
P_VALUE = Family("hourglass_drift_p_value", "Probability of a window like the last one without drift.", "gauge", LABELS)
LATENT_P_VALUE = Family(
    "hourglass_drift_latents_p_value", "Probability of latents like the last ones without drift.", "gauge", LABELS
)
ROWS = Family("hourglass_drift_rows", "Scored rows in the window.", "gauge", LABELS)


class Drifts(NamedTuple):
    """The results of a window of a version. They are None if it has too few rows."""

    rows: int
    """The rows in it."""
    scores: Drift | None
    latents: LatentDrift | None
    """None, too, if the version's scorer has none of its calibration rows."""


class DriftWatch:
    """The windows of this process, and the sums over the windows of all workers."""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self.rows = settings.drift_window
        """The rows of the windows of all workers together."""
        self._own_rows = math.ceil(self.rows / settings.workers)
        self._counters = counters
        self._latents: dict[tuple[str, str], LatentBins] = {}
        """The bins of each version whose scorer has the latents of its calibration rows."""

    def watch(self, model: ServedModel) -> None:
        """Let a model that scores record its p-values and latents from now on."""
        fitted, scorer = model.manifest.scorer, model.autoencoder.scorer
        if not (fitted and scorer and self.rows):
            return
        bins = Bins.of(fitted.calibration_rows)
        latent_bins = LatentBins(scorer.watch_latents(), fitted.calibration_rows)
        self._latents[_labels(model.manifest)] = latent_bins
        window = self._open_window(COUNTS, model.manifest, len(bins.edges))
        latent_window = None
        if latent_bins:
            latent_window = self._open_window(LATENT_COUNTS, model.manifest, len(latent_bins), latent_bins.latents)

        def record(p_values: Array, latents: Latents) -> None:
            window.record(bins.indices(p_values))
            if latent_window is not None and len(known := latents[~np.isnan(latents[:, 0])]):
                latent_window.record(latent_bins.indices(known[-self._own_rows :]))

        model.on_scores = record

    def _open_window(self, name: str, manifest: Manifest, length: int, bins_per_row: int = 1) -> Window:
        offset = self._counters.block(name, _labels(manifest), length, gauge=True)
        return Window(self._own_rows, np.asarray(self._counters.numbers[offset : offset + length]), bins_per_row)

    def measure(self, manifest: Manifest) -> Drifts:
        """
        Return the results of the window of a version.

        Raises Refused if drift is not watched, and UnsupportedTask if the version does not score.
        """
        if not self.rows:
            raise Refused("drift is not watched here: HOURGLASS_DRIFT_WINDOW is 0")
        if not manifest.scorer:
            able = ", ".join(manifest.tasks)
            raise UnsupportedTask(f"the model {manifest.name!r} cannot score, so its drift is not known; it can {able}")
        return self._measure(manifest, self._counters.sums())

    def collect(self, catalog: Catalog) -> Iterator[Metric]:
        """Yield the metrics of every version that scores."""
        sums = self._counters.sums()
        scorers = [model.manifest for model in catalog.all_versions() if model.manifest.scorer and self.rows]
        results = [(_labels(manifest), self._measure(manifest, sums)) for manifest in scorers]
        yield P_VALUE.collect((labels, [drifts.scores.p_value]) for labels, drifts in results if drifts.scores)
        yield LATENT_P_VALUE.collect((labels, [drifts.latents.p_value]) for labels, drifts in results if drifts.latents)
        yield ROWS.collect((labels, [float(drifts.rows)]) for labels, drifts in results)

    def _measure(self, manifest: Manifest, sums: dict[tuple[str, tuple[str, ...]], list[float]]) -> Drifts:
        assert manifest.scorer
        counts, latent_counts = (sums.get((name, _labels(manifest)), []) for name in (COUNTS, LATENT_COUNTS))
        scores = measure_drift(counts, Bins.of(manifest.scorer.calibration_rows))
        latents = self._latents.get(_labels(manifest))
        return Drifts(round(sum(counts)), scores, latents.measure(latent_counts) if latents else None)


def _labels(manifest: Manifest) -> tuple[str, str]:
    return manifest.name, str(manifest.version)
