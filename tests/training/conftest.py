"""Fixtures: the digits, a finished run of each family of models, and the version exported from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.helpers.configurations import bundled_config, with_objective
from training.config import load_config
from training.data.dataset import DataSet
from training.data.load import load_data
from training.exporting.export import export
from training.fitting.runs import Run
from training.fitting.trainer import fit

DENOISER_STEPS = 800


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Use one thread: small networks are faster on it, and bitwise comparisons need a fixed order of sums."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def digits() -> DataSet:
    """Return the 8x8 digits."""
    config = bundled_config("digits-vae")
    return load_data(config.data, None, config.optimisation.seed)


@pytest.fixture(scope="session", params=["digits-ae", "digits-sdae", "digits-vae"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, digits: DataSet) -> Run:
    """Return a finished run of each family, trained with its bundled configuration, the denoiser for fewer steps."""
    folder = tmp_path_factory.mktemp("run") / str(request.param)
    config = load_config(str(request.param))
    if request.param == "digits-sdae":
        config = with_objective(config, denoiser_steps=DENOISER_STEPS)
    return fit(config, digits, folder, accelerator="cpu")


@pytest.fixture(scope="session")
def exported(trained: Run, digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the version exported from the run."""
    return export(trained, digits, tmp_path_factory.mktemp("models"))
