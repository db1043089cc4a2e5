"""Fixtures: a repository of tiny models, an application over it, and the bundled models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis.strategies import text
from starlette.testclient import TestClient

from app.api.state import State
from app.main import build_app
from app.server.gate import Gate
from app.settings import Settings
from tests.helpers import tiny

ROOT = Path(__file__).parent.parent
SYSTEM = ROOT / "tests" / "system"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that need more than Python, unless the command names them."""
    if collection_path != SYSTEM:
        return None
    named = [(config.invocation_params.dir / argument.partition("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(SYSTEM) for path in named) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run all tests of a file, and one process all tests of the trained runs, which are the slowest."""
    for item in items:
        is_of_runs = not {"trained", "exported"}.isdisjoint(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("runs" if is_of_runs else item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: "training" not in item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def characters() -> None:
    """Let hypothesis make its table of characters, which takes a second in a fresh clone, before it times a test."""
    text().validate()


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Write a repository: a tiny model of each family, one of them in two versions, and a model of a table.

    The second version and the table have a scorer.
    """
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "tiny-ae", 1)
    tiny.write_version(root, "tiny-ae", 2, scorer=True)
    tiny.write_version(root, "tiny-sdae", family="denoising-autoencoder")
    tiny.write_version(root, "tiny-vae", family="variational-autoencoder")
    tiny.write_version(root, "tiny-table", kind=tiny.TABLE, scorer=True)
    return root


@pytest.fixture(scope="session")
def conditional_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a repository of models with LABELS, one of which scores, and one without."""
    root = tmp_path_factory.mktemp("conditional")
    tiny.write_version(root, "table", kind=tiny.TABLE, labels=tiny.LABELS, scorer=True)
    tiny.write_version(root, "sdae", family="denoising-autoencoder", labels=tiny.LABELS)
    tiny.write_version(root, "vae", family="variational-autoencoder", kind=tiny.TABLE, labels=tiny.LABELS)
    tiny.write_version(root, "plain", kind=tiny.TABLE)
    return root


@pytest.fixture(scope="session")
def tiny_state(tiny_models: Path) -> State:
    """Load the tiny models, with limits small enough to reach."""
    return State.load(Settings(models_dir=tiny_models, max_body_bytes=4096, max_rows=16, max_pixels=10_000))


@pytest.fixture(scope="session")
def tiny_app(tiny_state: State) -> Gate:
    """Build the application over the tiny models."""
    return build_app(tiny_state)


@pytest.fixture(scope="session")
def client(tiny_app: Gate) -> Iterator[TestClient]:
    """Start the application over the tiny models, and give a client of it."""
    with TestClient(tiny_app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def bundled() -> Path:
    """Return the repository of the committed models."""
    return ROOT / "models"
