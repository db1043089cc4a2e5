"""Drift of the served models: windows in the numbers that all workers share, reports about them, and their metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from prometheus_client.metrics_core import Metric

from app.engine.catalog import Catalog
from app.engine.drift.bins import Bins
from app.engine.drift.uniformity import Drift, measure_drift
from app.engine.drift.window import Window
from app.engine.served import ServedModel
from app.errors import Refused, UnsupportedTask
from app.manifest import Manifest
from app.server.counters import Counters
from app.server.metrics import Family
from app.settings import Settings

COUNTS = "drift_p_values"
"""The name of the counts of bins among the shared numbers."""
LABELS = ("model", "version")
P_VALUE = Family("hourglass_drift_p_value", "Probability of a window like the last one without drift.", "gauge", LABELS)
ROWS = Family("hourglass_drift_rows", "Scored rows in the window.", "gauge", LABELS)


class DriftWatch:
    """The windows of this process, and the sums over the windows of all workers."""

    def __init__(self, settings: Settings, counters: Counters) -> None:
        self.rows = settings.drift_window
        """The rows of the windows of all workers together."""
        self._own_rows = math.ceil(self.rows / settings.workers)
        self._counters = counters

    def watch(self, model: ServedModel) -> None:
        """Let a model that scores record its p-values from now on."""
        scorer = model.manifest.scorer
        if scorer and self.rows:
            bins = Bins.of(scorer.calibration_rows)
            length = len(bins.edges)
            offset = self._counters.block(COUNTS, _labels(model.manifest), length, gauge=True)
            counts = np.asarray(self._counters.numbers[offset : offset + length])
            model.on_scores = Window(bins, self._own_rows, counts).record

    def measure(self, manifest: Manifest) -> tuple[int, Drift | None]:
        """
        Return the rows in the window of a version, and the result of its tests if there are enough rows.

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
        results = [(_labels(manifest), *self._measure(manifest, sums)) for manifest in scorers]
        yield P_VALUE.collect((labels, [drift.p_value]) for labels, _, drift in results if drift)
        yield ROWS.collect((labels, [float(rows)]) for labels, rows, _ in results)

    def _measure(
        self, manifest: Manifest, sums: dict[tuple[str, tuple[str, ...]], list[float]]
    ) -> tuple[int, Drift | None]:
        assert manifest.scorer
        counts = sums.get((COUNTS, _labels(manifest)), [])
        return round(sum(counts)), measure_drift(counts, Bins.of(manifest.scorer.calibration_rows))


def _labels(manifest: Manifest) -> tuple[str, str]:
    return manifest.name, str(manifest.version)
