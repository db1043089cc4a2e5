"""Fixtures: a repository of tiny models, an application over it, the bundled models, a run on real digits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.helpers import tiny

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one tiny model of each family, one of them in two versions, and one of a table."""
    root = tmp_path_factory.mktemp("models")
    tiny.write_version(root, "tiny-ae", 1)
    tiny.write_version(root, "tiny-ae", 2)
    tiny.write_version(root, "tiny-sdae", family="denoising-autoencoder")
    tiny.write_version(root, "tiny-vae", family="variational-autoencoder")
    tiny.write_version(root, "tiny-table", kind=tiny.TABLE)
    return root


@pytest.fixture(scope="session")
def tiny_app(tiny_models: Path) -> FastAPI:
    """The application over the tiny models, with limits small enough to reach."""
    return create_app(Settings(models_dir=tiny_models, max_body_bytes=4096, max_rows=16, max_pixels=10_000))


@pytest.fixture(scope="session")
def client(tiny_app: FastAPI) -> Iterator[TestClient]:
    """A client of that application, which is started and stopped."""
    with TestClient(tiny_app, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def bundled() -> Path:
    """The models that are committed."""
    return ROOT / "models"
