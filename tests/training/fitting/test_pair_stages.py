"""A stage gives its network binarised values, or noisy samples and a clean target, and trains its own parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from app.inputs import ImageInput, ValueRange, VectorInput
from tests.helpers.configurations import bundled_config, with_objective
from training.config import Config, NetworkConfig
from training.data.dataset import DataSet, Split
from training.errors import InvalidConfiguration
from training.fitting.draws import Draws
from training.fitting.pair_stages import WholeNetwork, plan_stages
from training.fitting.stages import Stage
from training.networks.base import Example
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing

IMAGES = ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=16))
TABLE = VectorInput(shape=(6,))


def data_of(input_spec: ImageInput | VectorInput) -> DataSet:
    """Return 500 rows between 0 and 16, the same in every part."""
    samples = np.random.default_rng(0).uniform(0, 16, (500, *input_spec.shape)).astype(np.float32)
    split = Split(samples, None, 1.0)
    return DataSet(name="rows", input=input_spec, classes=(), train=split, validation=split, test=split)


def dense_config(family: str, **objective: Any) -> Config:
    """Return a configuration of a dense network with other options of its objective."""
    network = NetworkConfig(architecture="dense", latent_dim=3, widths=(16,))
    config = bundled_config(f"digits-{family}").model_copy(update={"network": network})
    return with_objective(config, **objective)


def stages_of(config: Config, data: DataSet, steps_per_epoch: int = 10) -> list[Stage]:
    """Return the stages of an untrained network."""
    network = build_network(config, data.input, len(data.classes))
    return plan_stages(network, fit_preprocessing(config, data), config, steps_per_epoch, data.input.value_range)


def example_of(config: Config, input_spec: ImageInput | VectorInput, monkeypatch: pytest.MonkeyPatch) -> Example:
    """Return the example that the last stage passes to the network's loss."""
    data = data_of(input_spec)
    stage = stages_of(config, data)[-1]
    examples: list[Example] = []

    def loss(example: Example, draws: Draws, beta: float = 1.0) -> dict[str, torch.Tensor]:
        examples.append(example)
        return {}

    monkeypatch.setattr(stage.network, "loss", loss)
    samples = torch.from_numpy(data.train.in_users_units())
    stage.terms(samples, torch.zeros(len(samples), dtype=torch.int64), Draws(0), validating=True)
    return examples[0]


def test_binarised_values_are_both_input_and_target(monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(dense_config("vae", binarisation="dynamic"), IMAGES, monkeypatch)
    assert torch.equal(example.x, example.target)
    assert example.x.unique().tolist() == [0.0, 1.0]
    assert example.x.mean().item() == pytest.approx(0.5, abs=0.01)


def test_noise_is_measured_in_the_value_range_and_the_target_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(dense_config("sdae", amount=0.01, pretraining_epochs=0), IMAGES, monkeypatch)
    clean = torch.from_numpy(data_of(IMAGES).train.in_users_units()) / 16
    assert torch.equal(example.target, clean)
    assert (example.x - clean).std().item() == pytest.approx(0.01, rel=0.03)
    assert example.x.min() >= 0
    assert example.x.max() <= 1


def test_noise_on_standardised_images_is_measured_in_the_value_range(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uniform values between 0 and 16 have a deviation of 16 / sqrt(12), so noise of 0.01 becomes 0.0346."""
    config = dense_config("sdae", amount=0.01, pretraining_epochs=0, likelihood="gaussian")
    example = example_of(config, IMAGES, monkeypatch)
    assert (example.x - example.target).std().item() == pytest.approx(0.01 * 12**0.5, rel=0.03)


def test_a_table_is_corrupted_after_it_is_standardised(monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(dense_config("sdae", amount=0.5, pretraining_epochs=0), TABLE, monkeypatch)
    assert example.target.std().item() == pytest.approx(1.0, rel=0.01)
    assert (example.x - example.target).std().item() == pytest.approx(0.5, rel=0.03)


def test_salt_and_pepper_need_a_value_range() -> None:
    config = dense_config("sdae", noise="salt-and-pepper", amount=0.2, pretraining_epochs=0)
    stages_of(config, data_of(IMAGES))
    with pytest.raises(InvalidConfiguration, match="these data have none; use gaussian or masking"):
        stages_of(config, data_of(TABLE))


def test_each_stage_trains_its_own_layer_and_the_last_one_all(digits: DataSet) -> None:
    stages = stages_of(with_objective(bundled_config("digits-sdae"), pretraining_epochs=2), digits)
    assert [stage.plan.name for stage in stages] == [
        "pretrain-layer-1",
        "pretrain-layer-2",
        "pretrain-layer-3",
        "fine-tune",
    ]
    counts = [sum(weight.numel() for weight in stage.trained_parameters()) for stage in stages]
    total = sum(weight.numel() for weight in stages[-1].network.pair_parameters())
    assert sum(counts[:3]) == counts[3] == total


def test_the_kl_weight_rises_in_training_and_is_final_in_validation(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages_of(bundled_config("digits-vae"), digits)[0]  # its warm-up takes 5 epochs of 10 steps
    assert isinstance(stage, WholeNetwork)
    for step, beta in ((0, 0.0), (25, 0.5), (50, 1.0), (500, 1.0)):
        monkeypatch.setattr(type(stage), "global_step", step)
        assert stage.beta(validating=False) == beta
        assert stage.beta(validating=True) == 1.0
