"""A Bernoulli suits drawings in black and white, a Gaussian everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.inputs import ImageInput, ValueRange
from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of
from training.choices import likelihood
from training.choices.likelihood import choose_likelihood
from training.data.dataset import DataSet, Split


def images(black: float, white: float, channels: int = 1, rows: int = 50) -> DataSet:
    """Return images with these shares of black and of white pixels; the others are grey."""
    values = np.full(400, 0.5)
    values[: round(400 * black)] = 0.0
    values[len(values) - round(400 * white) :] = 1.0
    random = np.random.default_rng(0)
    return data_of(np.stack([random.permutation(values).reshape(1, 20, 20).repeat(channels, 0) for _ in range(rows)]))


def chosen(data: DataSet, **objective: Any) -> str:
    """Return the likelihood that is chosen for a configuration without one."""
    return choose_likelihood(with_objective(bundled_config("images-vae"), **objective), data)[0]


@pytest.mark.parametrize(
    ("black", "white", "name"),
    [
        (0.80, 0.15, "bernoulli"),
        (0.15, 0.80, "bernoulli"),
        (0.48, 0.03, "bernoulli"),
        (0.47, 0.02, "gaussian"),
        (0.99, 0.01, "gaussian"),
        (0.01, 0.99, "gaussian"),
        (0.02, 0.02, "gaussian"),
    ],
)
def test_values_must_crowd_at_both_ends_for_a_bernoulli(black: float, white: float, name: str) -> None:
    assert chosen(images(black, white)) == name
    assert chosen(images(black, white, channels=3)) == name


def test_smooth_photographs_call_for_a_gaussian() -> None:
    ramps = np.linspace(0, 1, 20) * np.random.default_rng(0).random((50, 1, 20, 1)) * np.ones((1, 1, 20, 1))
    assert chosen(data_of(ramps)) == "gaussian"


def test_digits_call_for_a_bernoulli(digits: DataSet) -> None:
    name, reason = choose_likelihood(bundled_config("images-vae"), digits)
    share = (digits.train.samples <= 0.05 * 16).mean()
    assert name == "bernoulli"
    assert reason.startswith(f"{share:.0%} of the values are near black, ")


def test_ends_are_those_of_the_value_range() -> None:
    """Values of 0 and 1 are grey in a range from -5 to 5."""
    data = images(0.5, 0.5)
    wide = ImageInput(shape=(1, 20, 20), value_range=ValueRange(low=-5, high=5))
    other = DataSet("rows", wide, (), data.train, data.validation, data.test)
    assert (chosen(data), chosen(other)) == ("bernoulli", "gaussian")


def test_8_bit_images_are_measured_in_the_users_units() -> None:
    data = images(0.5, 0.5)
    stored = Split((255 * data.train.samples).astype(np.uint8), None, 1 / 255)
    assert chosen(DataSet("rows", data.input, (), stored, stored, stored)) == "bernoulli"


def test_tables_have_a_gaussian_unless_binarisation_needs_a_bernoulli() -> None:
    table = data_of(np.random.default_rng(0).integers(0, 2, (30, 4)))
    assert chosen(table) == "gaussian"
    assert chosen(table, binarisation="dynamic") == "bernoulli"


def test_rows_are_taken_from_the_whole_training_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first half of these images is grey, and the other half is black and white."""
    grey, drawn = images(0.0, 0.0).train.samples, images(0.5, 0.5).train.samples
    data = data_of(np.concatenate([grey[:20], drawn]))
    monkeypatch.setattr(likelihood, "MAX_ROWS", 10)
    assert chosen(data) == "bernoulli"
    assert choose_likelihood(bundled_config("images-vae"), data)[1] == (
        "35% of the values are near black, 35% near white"
    )
