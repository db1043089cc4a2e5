"""A run on scikit-learn's digits, trained once a session, and the version that it became."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.config import BUNDLED, Config, load_config
from training.data.dataset import DataSet
from training.data.load import load_data
from training.exporting.export import export
from training.fitting.runs import Run
from training.fitting.trainer import fit


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Networks this small are slower on several threads, and bitwise comparisons want a fixed order of sums."""
    torch.set_num_threads(1)


def shortened(name: str, **optimisation: object) -> Config:
    """A bundled configuration with other options of its optimisation."""
    config = load_config(str(BUNDLED / f"{name}.yaml"))
    changed = config.optimisation.model_copy(update=optimisation)
    return config.model_copy(update={"optimisation": changed})


@pytest.fixture(scope="session")
def digits() -> DataSet:
    """The 8x8 digits."""
    config = shortened("digits-vae")
    return load_data(config.data, None, config.optimisation.seed)


@pytest.fixture(scope="session", params=["digits-ae", "digits-sdae", "digits-vae"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, digits: DataSet) -> Run:
    """A finished run of each family, trained as its bundled configuration says."""
    folder = tmp_path_factory.mktemp("run") / str(request.param)
    return fit(load_config(str(request.param)), digits, folder, accelerator="cpu")


@pytest.fixture(scope="session")
def exported(trained: Run, digits: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The version that the run became."""
    return export(trained, digits, tmp_path_factory.mktemp("models"))
