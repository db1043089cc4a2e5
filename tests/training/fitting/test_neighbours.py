"""The neighbours of a training row are the rows nearest to it, and a latent plane keeps them together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of
from training.choices.choose import settle
from training.data.dataset import DataSet
from training.errors import InvalidConfiguration
from training.evaluation.baselines import knn_accuracy
from training.fitting import neighbours as module
from training.fitting.neighbours import NEIGHBOURS, keeps_neighbours, nearest_neighbours
from training.fitting.runs import Run
from training.fitting.trainer import fit
from training.preprocessing import fit_preprocessing

CONFIG = with_objective(bundled_config("table-ae"), neighbours=1.0)


def neighbours_of(data: DataSet) -> np.ndarray:
    """Return the neighbours of the training rows."""
    config = settle(CONFIG, data).config
    found = nearest_neighbours(fit_preprocessing(config, data), config, data)
    assert found is not None
    return found


def accuracy_of(run: Run, data: DataSet) -> float:
    """Return the share of the test rows that have the label of most of their neighbours in the latent space."""
    latents = []
    for part in (data.train, data.test):
        with torch.no_grad():
            latents.append(run.network.encode(run.preprocessing(torch.from_numpy(part.in_users_units()))).numpy())
    assert data.train.labels is not None
    assert data.test.labels is not None
    return knn_accuracy(latents[0], data.train.labels, latents[1], data.test.labels)


def test_the_neighbours_of_a_row_are_of_its_own_cluster() -> None:
    random = np.random.default_rng(0)
    clusters = np.repeat(np.arange(3), 20)
    found = neighbours_of(data_of(20.0 * np.eye(3)[clusters] + random.normal(size=(60, 3))))
    assert found.shape == (60, NEIGHBOURS)
    assert (clusters[found] == clusters[:, None]).all()
    assert (found != np.arange(60)[:, None]).all()


def test_the_nearest_row_comes_first() -> None:
    found = neighbours_of(data_of(np.array([[0.0, 0.0], [1.0, 1.0], [3.0, 3.0], [3.5, 3.5]])))
    assert found[:, 0].tolist() == [1, 0, 3, 2]
    assert found.shape == (4, 3)


def test_other_objectives_need_no_neighbours() -> None:
    data = data_of(np.eye(4))
    for config in (bundled_config("table-ae"), bundled_config("table-vae"), bundled_config("digits-sdae")):
        assert not keeps_neighbours(config)
        assert nearest_neighbours(fit_preprocessing(CONFIG, data), config, data) is None


def test_several_processes_and_a_single_row_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidConfiguration, match="a single training row has no neighbour"):
        neighbours_of(data_of(np.ones((1, 3)), np.ones((4, 3))))
    monkeypatch.setattr(module, "world", lambda: 2)
    with pytest.raises(InvalidConfiguration, match=r"objective\.neighbours: several processes cannot share pairs"):
        neighbours_of(data_of(np.eye(4)))


def test_a_plane_that_keeps_neighbours_separates_the_digits(digits: DataSet, tmp_path: Path) -> None:
    """Labels are not used. Without the loss of neighbours, the same training reaches 0.77."""
    options = {"epochs": 60, "learning_rate": 0.003, "batch_size": 128}
    config = with_objective(bundled_config("digits-ae", **options), neighbours=20.0)
    layers = {"architecture": "dense", "widths": (256, 128), "residual_blocks": (), "latent_dim": 2}
    config = config.model_copy(update={"network": config.network.model_copy(update=layers)})
    assert accuracy_of(fit(config, digits, tmp_path / "run", accelerator="cpu"), digits) > 0.84
