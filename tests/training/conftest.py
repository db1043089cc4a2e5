"""Fixtures: the digits, a finished run of each family of models, and the version exported from it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
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

DENOISER_STEPS = 200
FAMILIES = ["digits-ae", "digits-sdae", "digits-vae"]


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


@pytest.fixture(scope="session")
def train(tmp_path_factory: pytest.TempPathFactory, digits: DataSet) -> Callable[[str], Run]:
    """Return a function that trains a bundled configuration at its first call; a denoiser gets fewer steps."""

    def run_of(name: str) -> Run:
        config = load_config(name)
        if name == "digits-sdae":
            config = with_objective(config, denoiser_steps=DENOISER_STEPS)
        return fit(config, digits, tmp_path_factory.mktemp("run") / name, accelerator="cpu")

    return functools.cache(run_of)


@pytest.fixture(scope="session")
def write(
    tmp_path_factory: pytest.TempPathFactory, train: Callable[[str], Run], digits: DataSet
) -> Callable[..., Path]:
    """Return a function that exports the run of a bundled configuration at its first call."""
    return functools.cache(lambda name: export(train(name), digits, tmp_path_factory.mktemp("models")))


@pytest.fixture(params=FAMILIES)
def trained(request: pytest.FixtureRequest, train: Callable[[str], Run]) -> Run:
    """Return a finished run of each family."""
    return train(str(request.param))


@pytest.fixture
def exported(trained: Run, write: Callable[..., Path]) -> Path:
    """Return the folder of the version exported from the run."""
    return write(trained.config.name)
