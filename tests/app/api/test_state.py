"""The state of an application is loaded from the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.api.state import State
from app.engine.process import available_cores
from app.engine.repository import load_version
from app.errors import NoModels
from app.settings import Settings
from app.tasks import supported_tasks
from tests.helpers.applications import state_over


@pytest.mark.parametrize(
    ("settings", "threads"),
    [({"threads": 3}, 3), ({}, available_cores()), ({"workers": 256}, 1), ({"threads": 5, "workers": 2}, 5)],
)
def test_workers_share_the_cores_unless_threads_are_set(
    tiny_models: Path, settings: dict[str, int], threads: int
) -> None:
    state = State.load(Settings(models_dir=tiny_models, **settings))  # type: ignore[arg-type]
    assert state.threads == threads
    state.close()


def test_every_version_is_served_with_the_tasks_that_it_supports(tiny_state: State) -> None:
    assert {model.manifest.name: model.tasks for model in tiny_state.catalog} == {
        "tiny-ae": ("encode", "decode", "reconstruct", "interpolate", "score"),
        "tiny-sdae": ("encode", "decode", "reconstruct", "denoise", "interpolate"),
        "tiny-table": ("encode", "decode", "reconstruct", "interpolate", "score"),
        "tiny-vae": ("encode", "decode", "reconstruct", "generate", "interpolate"),
    }
    for model in tiny_state.catalog.all_versions():
        assert list(model.tasks) == supported_tasks(model.manifest)
        assert model.max_rows == 16


def test_a_repository_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoModels):
        State.load(Settings(models_dir=tmp_path))


def test_a_closed_state_is_not_ready(tiny_models: Path) -> None:
    state = State.load(Settings(models_dir=tiny_models))
    state.lifecycle.start()
    assert state.ready
    state.close()
    assert not state.ready


def test_models_without_a_repository_are_not_reloaded(tiny_models: Path) -> None:
    autoencoder = load_version(tiny_models / "tiny-ae" / "1", "tiny-ae", 1)
    state = state_over(autoencoder)
    catalog = state.catalog
    state.start()
    state.reload()
    assert state.ready
    state.close()
    assert state.catalog is catalog
    assert state.reloader is None
