"""What a stage gives its network: binarised values, or noisy samples and the clean target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from app.manifest import ImageInput, ValueRange, VectorInput
from tests.training.conftest import shortened
from training.config import Config, NetworkConfig
from training.data import DataSet, Split
from training.errors import InvalidConfiguration
from training.fitting.draws import Draws
from training.fitting.stages import Stage, stages
from training.networks.base import Example
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing


def data_of(given: ImageInput | VectorInput) -> DataSet:
    """500 rows between 0 and 16, the same in every part."""
    samples = np.random.default_rng(0).uniform(0, 16, (500, *given.shape)).astype(np.float32)
    split = Split(samples, None, 1.0)
    return DataSet(name="rows", input=given, classes=(), train=split, validation=split, test=split)


IMAGES = ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=16))
TABLE = VectorInput(shape=(6,))


def asked(family: str, **objective: Any) -> Config:
    """A dense network, and other options of its objective."""
    config = shortened(f"digits-{family}")
    network = NetworkConfig(architecture="dense", latent_dim=3, widths=(16,))
    changed = config.objective.model_copy(update=objective)
    return config.model_copy(update={"network": network, "objective": changed})


def stage_of(config: Config, given: ImageInput | VectorInput) -> tuple[Stage, torch.Tensor]:
    """The last stage of a run, and samples in the user's units."""
    data = data_of(given)
    network = build_network(config, given)
    last = stages(network, fit_preprocessing(config, data), config, 10, given.value_range)[-1]
    return last, torch.from_numpy(data.train.in_users_units())


def example_of(config: Config, given: ImageInput | VectorInput, monkeypatch: pytest.MonkeyPatch) -> Example:
    """What the network's loss is called with."""
    stage, samples = stage_of(config, given)
    seen: list[Example] = []

    def loss(example: Example, draws: Draws, beta: float = 1.0) -> dict[str, torch.Tensor]:
        seen.append(example)
        return {}

    monkeypatch.setattr(stage.network, "loss", loss)
    stage.terms(samples, torch.zeros(len(samples), dtype=torch.int64), Draws(0), validating=True)
    return seen[0]


def test_binarised_values_are_both_input_and_target(monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(asked("vae", binarisation="dynamic"), IMAGES, monkeypatch)
    assert torch.equal(example.x, example.target)
    assert example.x.unique().tolist() == [0.0, 1.0]
    assert example.x.mean().item() == pytest.approx(0.5, abs=0.01)


def test_noise_is_measured_in_the_value_range_and_the_target_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(asked("sdae", amount=0.01, pretraining_epochs=0), IMAGES, monkeypatch)
    clean = torch.from_numpy(data_of(IMAGES).train.in_users_units()) / 16
    assert torch.equal(example.target, clean)
    assert (example.x - clean).std().item() == pytest.approx(0.01, rel=0.03)
    assert example.x.min() >= 0
    assert example.x.max() <= 1


def test_noise_on_images_of_a_gaussian_likelihood_is_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standardised, uniform values between 0 and 16 have a deviation of 16 / sqrt(12): noise of 0.01 becomes 0.0346."""
    config = asked("sdae", amount=0.01, pretraining_epochs=0, likelihood="gaussian")
    example = example_of(config, IMAGES, monkeypatch)
    assert (example.x - example.target).std().item() == pytest.approx(0.01 * 12**0.5, rel=0.03)


def test_a_table_is_corrupted_after_it_was_standardised(monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(asked("sdae", amount=0.5, pretraining_epochs=0), TABLE, monkeypatch)
    assert example.target.std().item() == pytest.approx(1.0, rel=0.01)
    assert (example.x - example.target).std().item() == pytest.approx(0.5, rel=0.03)


def test_salt_and_pepper_need_a_value_range() -> None:
    config = asked("sdae", noise="salt-and-pepper", amount=0.2, pretraining_epochs=0)
    stage_of(config, IMAGES)
    with pytest.raises(InvalidConfiguration, match="these data have none; use gaussian or masking"):
        stage_of(config, TABLE)
