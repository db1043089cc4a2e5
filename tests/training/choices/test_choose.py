"""A settled configuration has no open option, and the reasons say what the data decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of, one_sided_images, planted_rows
from training.choices.choose import settle
from training.choices.precision import multiplies_bfloat16
from training.config import AugmentationConfig, Config, DenoisingObjective, PriorConfig, bundled_configs
from training.data.dataset import DataSet

SETTLED_SECTIONS = ("augmentation", "network", "objective", "optimisation")


def data_for(config: Config) -> DataSet:
    """Return 120 images or rows."""
    if config.network.architecture == "conv":
        return data_of(one_sided_images(120))
    return data_of(planted_rows(120, (3.0, 2.0, 1.0), 9, noise=0.3))


def opened(config: Config) -> Config:
    """Return a configuration with `auto` wherever it may stand."""
    network = config.network.model_copy(update={"widths": "auto", "residual_blocks": (), "latent_dim": "auto"})
    names = ("epochs", "passes", "batch_size", "learning_rate", "patience", "precision")
    optimisation = config.optimisation.model_copy(update=dict.fromkeys(names, "auto"))
    objective = config.objective.model_copy(update={"likelihood": "auto"})
    if isinstance(objective, DenoisingObjective):
        objective = objective.model_copy(update={"denoiser_steps": "auto"})
    changed = {"network": network, "optimisation": optimisation, "objective": objective}
    return Config.model_validate(config.model_copy(update=changed).model_dump())


def values(config: Config) -> list[Any]:
    """Return the values of all options that the data may decide."""
    return [value for name in SETTLED_SECTIONS for value in getattr(config, name).model_dump().values()]


@pytest.mark.parametrize("name", bundled_configs())
def test_no_option_is_left_open_and_settling_again_changes_nothing(name: str) -> None:
    config = opened(bundled_config(name))
    data = data_for(config)
    choices = settle(config, data)
    assert "auto" in values(config)
    assert "auto" not in values(choices.config)
    assert Config.model_validate(choices.config.model_dump()) == choices.config
    again = settle(choices.config, data)
    assert again.config == choices.config
    assert (dict(again.reasons), again.describe()) == ({}, "")
    assert settle(config, data) == choices


@pytest.mark.parametrize("name", ["digits-ae", "digits-vae", "mnist-vae"])
def test_configured_options_stay(name: str) -> None:
    config = bundled_config(name)
    choices = settle(config, data_for(config))
    for section in SETTLED_SECTIONS:
        before, after = getattr(config, section).model_dump(), getattr(choices.config, section).model_dump()
        assert {key: after[key] for key, value in before.items() if value != "auto"} == {
            key: value for key, value in before.items() if value != "auto"
        }
    untouched = ("name", "description", "data", "preprocessing", "evaluation")
    assert all(getattr(choices.config, section) == getattr(config, section) for section in untouched)


def test_reasons_are_aligned_lines_with_the_values() -> None:
    config = opened(bundled_config("images-vae"))
    choices = settle(config, data_for(config))
    network, optimisation = choices.config.network, choices.config.optimisation
    precision = ["precision"] if multiplies_bfloat16() else []
    assert list(choices.reasons) == ["likelihood", "latents", "copies", *precision, "steps"]
    likelihood, latents, copies, *_, steps = choices.describe().splitlines()
    assert likelihood.startswith(f"likelihood  {choices.config.objective.likelihood}: ")
    assert latents.startswith(f"latents     {network.latent_dim}: that many principal components explain ")
    assert copies.startswith("copies      ")
    assert steps.startswith("steps       ")
    # 120 rows are 8 batches of 16; 7 passes have 56 steps, so 2500 steps are 45 epochs
    assert (optimisation.batch_size, optimisation.passes, optimisation.epochs) == (16, 7, 45)
    assert steps == "steps       2520 of 16 rows, in 45 epochs of 7 times the training part"


def test_one_pass_is_once_the_training_part() -> None:
    config = opened(bundled_config("table-ae"))
    choices = settle(config, data_of(planted_rows(16_000, (3.0, 2.0, 1.0), 9)))
    assert choices.reasons["steps"] == "10017 of 256 rows, in 159 epochs of once the training part"


def test_layers_go_with_the_architecture_and_the_size() -> None:
    conv = opened(bundled_config("images-ae"))
    network = settle(conv, data_for(conv)).config.network
    assert (network.widths, network.residual_blocks) == ((32, 64), (1, 1))
    dense = conv.model_copy(update={"network": conv.network.model_copy(update={"architecture": "dense"})})
    network = settle(dense, data_for(conv)).config.network
    assert (network.widths, network.residual_blocks) == ((512, 256), ())


@pytest.mark.parametrize(("effort", "epochs"), [("quick", 9), ("normal", 45), ("thorough", 179)])
def test_effort_decides_the_epochs(effort: str, epochs: int) -> None:
    config = opened(bundled_config("images-ae", effort=effort))
    assert settle(Config.model_validate(config.model_dump()), data_for(config)).config.optimisation.epochs == epochs


@pytest.mark.parametrize(("effort", "epochs"), [("quick", 16), ("normal", 80), ("thorough", 320)])
def test_effort_changes_stated_epochs_once(effort: str, epochs: int) -> None:
    config = bundled_config("digits-ae", effort=effort)
    settled = settle(config, data_for(config)).config
    assert (config.optimisation.epochs, settled.optimisation.epochs) == (80, epochs)
    assert settle(settled, data_for(config)).config == settled


@pytest.mark.parametrize(("effort", "rows"), [("quick", 20_000), ("normal", "auto"), ("thorough", "auto")])
def test_a_quick_training_fits_the_prior_to_fewer_rows(effort: str, rows: int | str) -> None:
    config = bundled_config("digits-ae", effort=effort)
    assert settle(config, data_for(config)).config.prior.rows == rows
    stated = config.model_copy(update={"prior": PriorConfig(rows=30_000)})
    assert settle(stated, data_for(config)).config.prior.rows == 30_000


def test_a_likelihood_that_is_chosen_decides_the_scaling_of_the_axes() -> None:
    """Drawings in black and white: a Bernoulli, whose preprocessing would refuse a standardised image."""
    drawings = data_of((np.random.default_rng(0).random((60, 1, 8, 8)) < 0.5).astype(float))
    choices = settle(opened(bundled_config("images-vae")), drawings)
    assert choices.config.objective.likelihood == "bernoulli"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "none: copies would not help a linear reconstruction of the validation part"),
        ({"shift": 2}, "no others: copies would not help a linear reconstruction of the validation part"),
        ({"shift": 2, "flip": False}, None),
        ({"shift": 0, "flip": False}, None),
    ],
)
def test_only_copies_that_were_chosen_are_reported_as_such(options: dict[str, Any], reason: str | None) -> None:
    images = one_sided_images(120)
    config = bundled_config("images-ae").model_copy(update={"augmentation": AugmentationConfig(**options)})
    config = with_objective(config, likelihood="gaussian")
    choices = settle(config, data_of(images[:60], images[60:]))
    assert choices.reasons.get("copies") == reason
    assert choices.config.augmentation.is_active == bool(options.get("shift"))


def test_chosen_copies_are_named() -> None:
    images = one_sided_images(230)
    images[::2] = images[::2, ..., ::-1]
    config = with_objective(bundled_config("images-ae"), likelihood="gaussian")
    network = config.network.model_copy(update={"latent_dim": 30})
    choices = settle(config.model_copy(update={"network": network}), data_of(images[:30], images[30:]))
    assert choices.config.augmentation == AugmentationConfig(shift=0, flip=True)
    assert choices.reasons["copies"].startswith("mirrored images: they reduce the error of a linear reconstruction")
