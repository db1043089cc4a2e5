"""The denoiser's stage trains the denoiser only, for noise from none to the most, within a budget of steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of
from tests.helpers.training_networks import image_input
from training.config import Config, settled
from training.data.dataset import DataSet, Split
from training.fitting import denoising
from training.fitting.denoising import DenoiserTraining, plan_denoiser
from training.fitting.draws import Draws
from training.fitting.trainer import fit
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing


def config_of(steps: int = 160, **objective: object) -> Config:
    """Return a configuration of one epoch for the stack, and a small denoiser."""
    config = bundled_config("digits-sdae", epochs=1, patience=3)
    return with_objective(config, pretraining_epochs=0, denoiser_widths=(4, 6), denoiser_steps=steps, **objective)


def grey(rows: int) -> DataSet:
    """Return grey images in every part."""
    split = Split(np.full((rows, 1, 8, 8), 0.5, np.float32), None, 1.0)
    return DataSet("grey", image_input(1, 8, 8), (), split, split, split)


def in_batches(config: Config, batch_size: int) -> Config:
    """Return the configuration with another batch size."""
    return config.model_copy(update={"optimisation": config.optimisation.model_copy(update={"batch_size": batch_size})})


def stage_of(config: Config, data: DataSet) -> DenoiserTraining:
    """Return the denoiser's stage, as the second of a run."""
    network = build_network(config, data.input)
    (stage,) = plan_denoiser(network, fit_preprocessing(config, data), config, data, 1)
    assert isinstance(stage, DenoiserTraining)
    return stage


def test_the_pair_is_the_same_with_and_without_a_denoiser(digits: DataSet, tmp_path: Path) -> None:
    runs = [fit(config_of(denoiser=on), digits, tmp_path / str(on), accelerator="cpu").network for on in (True, False)]
    assert runs[1].denoiser is None
    assert all(map(torch.equal, runs[0].pair_parameters(), runs[1].parameters()))


@pytest.mark.parametrize("amount", [0.4, (0.3, 0.4)])
def test_levels_reach_from_none_to_the_most_and_small_ones_are_frequent(
    amount: float | tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, noise = stage_of(config_of(amount=amount), grey(9)), []
    assert stage.network.denoiser is not None

    def loss(noisy: torch.Tensor, guide: torch.Tensor, clean: torch.Tensor, *bounds: object) -> dict[str, torch.Tensor]:
        noise.append((noisy - clean).flatten(1).std(dim=1))
        return {}

    monkeypatch.setattr(stage.network.denoiser, "loss", loss)
    stage.terms(torch.full((4000, 1, 8, 8), 0.5), torch.zeros(4000), Draws(0), validating=False)
    levels = noise[0].numpy()
    assert levels.min() < 0.002
    assert 0.3 < levels.max() < 0.45  # noise of 0.4 is clipped to the range
    assert (levels < 0.1).mean() == pytest.approx(0.5, abs=0.03)  # (0.1 / 0.4) ** (1 / 2)


@pytest.mark.parametrize(
    ("rows", "batch_size", "steps_per_epoch", "epochs", "patience"),
    [(640, 200, 50, 32, 8), (1600, 8, 200, 8, 3), (80, 200, 50, 32, 8), (5, 200, 50, 20, 5), (3, 2, 50, 32, 8)],
)
def test_the_steps_decide_the_epochs_and_the_patience(
    rows: int, batch_size: int, steps_per_epoch: int, epochs: int, patience: int
) -> None:
    """An epoch has at least 50 steps, in as many passes as they take, and 5 rows are passed 1 000 times at most."""
    stage = stage_of(in_batches(config_of(steps=1600), batch_size), grey(rows))
    assert (stage.plan.steps_per_epoch, stage.plan.epochs) == (steps_per_epoch, epochs)
    assert stage.config.optimisation.patience == patience
    assert stage.config.optimisation.batch_size == min(batch_size, 64)


@pytest.mark.parametrize(("batch_size", "rows"), [(200, 32), (16, 16)])
def test_two_processes_share_the_bound_on_images(batch_size: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is 64 images of 8 x 8 pixels; a batch is that of one process."""
    monkeypatch.setattr(denoising, "world", lambda: 2)
    assert stage_of(in_batches(config_of(), batch_size), grey(600)).config.optimisation.batch_size == rows


def test_two_processes_have_a_whole_batch_of_vectors_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denoising, "world", lambda: 2)
    layers = bundled_config("table-ae").network.model_copy(update={"widths": (8,), "latent_dim": 2, "shortcut": False})
    config = with_objective(config_of().model_copy(update={"network": layers}), likelihood="gaussian")
    data = data_of(np.random.default_rng(0).random((600, 5)))
    assert stage_of(in_batches(config, 200), data).config.optimisation.batch_size == 200


def test_few_rows_are_not_passed_more_than_1000_times() -> None:
    stage = stage_of(config_of(steps=100_000), grey(80))
    assert settled(stage.config.optimisation.passes) * stage.plan.epochs == 1000


def test_a_network_without_a_denoiser_has_no_such_stage() -> None:
    data = grey(9)
    for config in (config_of(denoiser=False), bundled_config("digits-ae")):
        network = build_network(config, data.input)
        assert plan_denoiser(network, fit_preprocessing(config, data), config, data, 1) == []


@pytest.mark.parametrize(("likelihood", "scale"), [("bernoulli", 1.0), ("gaussian", 2.0)])
def test_the_loss_gets_the_ends_of_the_range_in_the_networks_units(
    likelihood: str, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.tile(np.array([0.0, 1.0], np.float32), (9, 1, 8, 4))  # mean and deviation are a half
    split = Split(images, None, 1.0)
    data = DataSet("stripes", image_input(1, 8, 8), (), split, split, split)
    stage = stage_of(config_of(likelihood=likelihood), data)
    seen: list[tuple[torch.Tensor, torch.Tensor, bool]] = []
    assert stage.network.denoiser is not None

    def loss(
        noisy: torch.Tensor,
        guide: torch.Tensor,
        clean: torch.Tensor,
        bounds: tuple[torch.Tensor, torch.Tensor],
        crowded: bool,
    ) -> dict[str, torch.Tensor]:
        seen.append((*bounds, crowded))
        return {}

    monkeypatch.setattr(stage.network.denoiser, "loss", loss)
    stage.terms(torch.from_numpy(images), torch.zeros(9), Draws(0), validating=False)
    [(low, high, crowded)] = seen
    assert crowded == (likelihood == "bernoulli")
    assert low.shape == high.shape == (1, 8, 8)
    assert (high - low).unique().tolist() == pytest.approx([scale])
    assert low.unique().tolist() == pytest.approx([0.0 if crowded else -1.0])
