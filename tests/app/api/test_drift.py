"""Drift of served models: windows of several workers are added up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.api.drift import DriftWatch
from app.api.state import State
from app.engine.drift.uniformity import DEFAULT_ALPHA
from app.engine.repository import load_version
from app.errors import Refused, UnsupportedTask
from app.server.counters import CAPACITY, SPARE, Counters
from app.settings import Settings
from tests.helpers import tiny
from tests.helpers.applications import state_over
from tests.helpers.arrays import array

NO_LATENTS = np.empty((0, 0), np.float32)

SCRIPT = """
import sys
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from app.api.drift import DriftWatch
from app.manifest import Manifest
from app.server.counters import Counters
from app.settings import Settings

watch = DriftWatch(Settings(), Counters(Path(sys.argv[1])))
manifest = Manifest.model_validate_json(sys.stdin.read())
model = SimpleNamespace(manifest=manifest, autoencoder=SimpleNamespace(scorer=SimpleNamespace(watch_latents=tuple)))
watch.watch(model)
model.on_scores(np.full(500, 0.1, np.float32), np.empty((500, 0), np.float32))
assert watch.measure(model.manifest)[0] == 500
"""
"""A worker that scores 500 rows and ends."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """Serve a model of a table that scores."""
    model = load_version(tiny.write_version(tmp_path / "models", kind=tiny.TABLE, scorer=True), "tiny", 1)
    state = state_over(model)
    yield state
    state.close()


def watches(folder: Path, count: int, window: int) -> list[DriftWatch]:
    """Return the watches of several workers, which share a folder."""
    settings = Settings(workers=count, drift_window=window)
    return [DriftWatch(settings, Counters(folder)) for _ in range(count)]


def test_the_windows_of_all_workers_are_one(state: State, tmp_path: Path) -> None:
    served = state.catalog.get("tiny")
    first, second = watches(tmp_path, 2, 200)
    for watch, p_value in ((first, 0.1), (second, 0.5)):
        watch.watch(served)
        assert served.on_scores is not None
        served.on_scores(array([p_value]).repeat(500), NO_LATENTS)  # more than its half of the window
    rows, drift, _ = first.measure(served.manifest)
    assert rows == 200
    assert drift is not None
    assert drift.excess.share == 0.5
    assert second.measure(served.manifest) == (rows, drift, None)


def test_latents_are_watched_beside_the_p_values(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path / "models", kind=tiny.TABLE, scorer=True)
    tiny.add_latents(folder)
    state = state_over(load_version(folder, "tiny", 1))
    served = state.catalog.get("tiny")
    first, second = watches(tmp_path, 2, 200)
    for watch, latent in ((first, 0.1), (second, 7.0)):
        watch.watch(served)
        assert served.on_scores is not None
        rows = array([[0.1, latent]]).repeat(500, axis=0)
        served.on_scores(array([0.5]).repeat(500), rows)
    drifts = first.measure(served.manifest)
    assert (drifts.rows, second.measure(served.manifest)) == (200, drifts)
    assert drifts.latents is not None
    assert [test.statistic for test in drifts.latents.tests] == pytest.approx([5 / 9, 0.5])
    _, metric, _ = first.collect(state.catalog)
    assert metric.samples[0].value == drifts.latents.p_value
    state.close()


def test_the_window_of_a_worker_that_ended_is_gone(state: State, tmp_path: Path) -> None:
    manifest = state.catalog.get("tiny").manifest
    subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], input=manifest.model_dump_json(), text=True, check=True)
    (watch,) = watches(tmp_path, 1, 200)
    assert watch.measure(manifest) == (0, None, None)


def test_a_version_that_is_loaded_again_begins_anew(state: State) -> None:
    served = state.catalog.get("tiny")
    assert served.on_scores is not None
    served.on_scores(array([0.1]).repeat(150), NO_LATENTS)
    assert state.drift.measure(served.manifest)[0] == 150
    state.drift.watch(served)
    assert state.drift.measure(served.manifest) == (0, None, None)


def test_metrics_have_the_rows_and_from_100_on_the_p_value(state: State) -> None:
    served = state.catalog.get("tiny")
    for rows, judged in ((99, 0), (1, 1)):
        assert served.on_scores is not None
        served.on_scores(array([0.1]).repeat(rows), NO_LATENTS)
        p_value, latents, count = state.drift.collect(state.catalog)
        assert latents.samples == []
        assert len(p_value.samples) == judged
        assert [sample.labels for sample in count.samples] == [{"model": "tiny", "version": "1"}]
    assert count.samples[0].value == 100
    assert 0 < p_value.samples[0].value < DEFAULT_ALPHA


def test_drift_is_refused_where_it_is_not_watched_or_nothing_scores(state: State, tmp_path: Path) -> None:
    served = state.catalog.get("tiny")
    served.on_scores = None
    (off,) = watches(tmp_path, 1, 0)
    off.watch(served)
    assert served.on_scores is None
    with pytest.raises(Refused, match="HOURGLASS_DRIFT_WINDOW is 0"):
        off.measure(served.manifest)
    plain = load_version(tiny.write_version(tmp_path / "models", "plain"), "plain", 1).manifest
    with pytest.raises(UnsupportedTask, match="'plain' cannot score, so its drift is not known"):
        state.drift.measure(plain)


def test_counts_that_find_no_room_are_not_judged(state: State, tmp_path: Path) -> None:
    served, counters = state.catalog.get("tiny"), Counters(tmp_path)
    for number in range((CAPACITY - SPARE) // SPARE):
        counters.block("versions", (str(number),), SPARE)
    watch = DriftWatch(Settings(), counters)
    watch.watch(served)
    assert served.on_scores is not None
    served.on_scores(np.full(500, 0.1, np.float32), NO_LATENTS)
    assert watch.measure(served.manifest) == (0, None, None)
