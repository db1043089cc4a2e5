"""The catalog finds models by name and version, and names the known ones otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.api.state import State
from app.engine.catalog import Catalog
from app.errors import UnknownModel, UnknownVersion
from app.settings import Settings
from tests.helpers import tiny


@pytest.fixture
def catalog(tiny_state: State) -> Catalog:
    """Return the catalog of the tiny models."""
    return tiny_state.catalog


def test_the_default_is_the_largest_version_by_number(tmp_path: Path) -> None:
    for version in (1, 2, 10):
        tiny.write_version(tmp_path, version=version)
    state = State.load(Settings(models_dir=tmp_path))
    assert state.catalog.get("tiny").manifest.version == 10
    assert state.catalog.get("tiny", "2").manifest.version == 2
    assert list(state.catalog.versions("tiny")) == [1, 2, 10]
    state.close()


def test_an_unknown_name_is_answered_with_the_known_ones(catalog: Catalog) -> None:
    ask: list[Callable[[str], object]] = [catalog.get, catalog.versions]
    for find in ask:
        with pytest.raises(UnknownModel, match="no model 'x'; there are tiny-ae, tiny-sdae, tiny-table, tiny-vae"):
            find("x")


@pytest.mark.parametrize("version", ["7", "0", "01", "-1", "1.0", "x", "", "9" * 5000])
def test_an_unknown_version_is_answered_with_the_known_ones(catalog: Catalog, version: str) -> None:
    with pytest.raises(UnknownVersion, match=rf"has no version {version[:20]}; it has 1, 2$"):
        catalog.get("tiny-ae", version)


def test_iteration_yields_the_default_versions_by_name(catalog: Catalog) -> None:
    names = ["tiny-ae", "tiny-sdae", "tiny-table", "tiny-vae"]
    assert [(model.manifest.name, model.manifest.version) for model in catalog] == list(
        zip(names, [2, 1, 1, 1], strict=True)
    )
    assert [model.manifest.version for model in catalog.all_versions()] == [1, 2, 1, 1, 1]


def test_models_are_found_by_the_tasks_that_they_support(catalog: Catalog) -> None:
    assert [model.manifest.name for model in catalog.able_to("generate")] == ["tiny-vae"]
    assert [model.manifest.name for model in catalog.able_to("denoise")] == ["tiny-sdae"]
    assert catalog.able_to("fly") == []


def test_a_view_is_built_once() -> None:
    calls: list[Catalog] = []

    def build(catalog: Catalog) -> int:
        calls.append(catalog)
        return 7

    catalog = Catalog([])
    assert not catalog.has_view(build)
    assert (catalog.view(build), catalog.view(build)) == (7, 7)
    assert catalog.has_view(build)
    assert calls == [catalog]
