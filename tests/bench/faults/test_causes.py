"""The faults are what their names say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from app.engine.repository import load_version
from app.errors import InvalidModel
from app.manifest import ENCODER
from bench.faults.causes.folders import MODEL, breakages, write_version
from bench.faults.causes.runs import LATENTS, write_endless
from bench.faults.server import Bench

ROOT = Path(__file__).parents[3]
SLOW = "golden samples that decompress to 8 GiB"
"""It takes half a minute to write."""


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a repository of one bundled model."""
    shutil.copytree(ROOT / "models" / MODEL, tmp_path / MODEL)
    return tmp_path


def test_a_copied_version_is_valid(models: Path) -> None:
    assert load_version(write_version(models, 7), MODEL, 7).manifest.version == 7


@pytest.mark.parametrize("name", sorted(breakages(Bench(Path())).keys() - {SLOW}))
def test_every_broken_version_is_refused(models: Path, name: str) -> None:
    folder = write_version(models, 2)
    load_version(folder, MODEL, 2)
    breakages(Bench(models))[name](folder)
    with pytest.raises(InvalidModel):
        load_version(folder, MODEL, 2)


def test_the_endless_model_is_valid_and_ends_without_poison(models: Path) -> None:
    write_endless(models)
    load_version(models / MODEL / "2", MODEL, 2)
    session = onnxruntime.InferenceSession(models / MODEL / "2" / ENCODER)
    samples = np.linspace(0, 1, 784, dtype=np.float32).reshape(1, 1, 28, 28)
    (latents,) = session.run(None, {"samples": samples})
    np.testing.assert_array_equal(latents, samples.reshape(1, -1)[:, :LATENTS])
