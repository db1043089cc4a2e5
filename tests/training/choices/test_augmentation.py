"""Shifts and flips are used only if the data allow them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of, one_sided_images, planted_rows
from training.choices import augmentation
from training.choices.augmentation import NONE, choose_augmentation
from training.config import AugmentationConfig
from training.data.dataset import DataSet
from training.preprocessing import fit_preprocessing


def chosen(data: DataSet, count: int = 8, **options: Any) -> tuple[AugmentationConfig, str]:
    """Return the choice for a Gaussian likelihood, and the reason."""
    config = with_objective(bundled_config("images-ae"), likelihood="gaussian")
    return choose_augmentation(AugmentationConfig(**options), data, fit_preprocessing(config, data), count)


def mirrored_at_random(rows: int) -> np.ndarray:
    """Return stripes in the left half, of which half were mirrored."""
    images = one_sided_images(rows)
    flipped = np.random.default_rng(1).random(rows) < 0.5
    images[flipped] = images[flipped, ..., ::-1]
    return images


def shifted_at_random(rows: int, most: int = 2, side: int = 16) -> np.ndarray:
    """Return pairs of soft discs, a bright one left of a dim one, that were moved by up to `most` pixels."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] - side / 2
    offsets = random.integers(-most, most + 1, (rows, 2))
    discs = np.stack([np.exp(-np.square(y - down) - np.square(x - right)) for down, right in offsets])
    discs += np.stack([0.5 * np.exp(-np.square(y - down) - np.square(x - right - 4)) for down, right in offsets])
    return (0.6 * discs * random.uniform(0.5, 1, (rows, 1, 1)))[:, None]


def test_digits_are_neither_mirrored_nor_shifted(digits: DataSet) -> None:
    choice, reason = chosen(digits, count=16)
    assert choice == NONE
    assert reason == "copies would not help a linear reconstruction of the validation part"


def test_a_planted_symmetry_is_found_from_few_rows() -> None:
    choice, reason = chosen(data_of(mirrored_at_random(14), mirrored_at_random(200)[14:]), count=24)
    assert choice == AugmentationConfig(shift=0, flip=True)
    assert reason.startswith("they reduce the error of a linear reconstruction of the validation part by ")


def test_images_that_all_look_left_are_not_mirrored() -> None:
    images = one_sided_images(200)
    choice, _ = chosen(data_of(images[:60], images[60:]))
    assert choice.flip is False


def test_planted_shifts_are_found_from_few_rows() -> None:
    images = shifted_at_random(312)
    choice, _ = chosen(data_of(images[:12], images[12:]))
    assert isinstance(choice.shift, int)
    assert choice.shift >= 1
    assert choice.flip is False


def test_the_reason_has_the_reduction_of_the_error() -> None:
    """Data that few axes of copies explain completely: the error almost vanishes."""
    random = np.random.default_rng(0)
    motif = random.random((1, 1, 8, 8))
    both = np.concatenate([motif, motif[..., ::-1]])
    images = np.concatenate([0.5 * motif, motif, 0.7 * motif])
    choice, reason = chosen(data_of(images, both), count=2)
    assert choice.flip is True
    assert reason.endswith("by 100%")


def test_tables_have_no_copies() -> None:
    assert chosen(data_of(planted_rows(30, (1.0,), 6)), shift="auto", flip="auto") == (NONE, "")


def test_configured_options_are_kept() -> None:
    data = data_of(mirrored_at_random(14), mirrored_at_random(200)[14:])
    assert chosen(data, count=24, flip=False)[0].flip is False
    assert chosen(data, count=24, shift=0)[0] == AugmentationConfig(shift=0, flip=True)
    assert chosen(data, count=24, shift=3)[0].shift == 3
    assert chosen(data, shift=3, flip=False) == (AugmentationConfig(shift=3, flip=False), "")
    assert chosen(data, shift=0, flip=True) == (AugmentationConfig(shift=0, flip=True), "")


def test_nothing_is_changed_if_there_are_rows_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_of(mirrored_at_random(14), mirrored_at_random(200)[14:])
    monkeypatch.setattr(augmentation, "MAX_ROWS", 14)
    assert chosen(data, count=24) == (NONE, "")
    assert chosen(data, shift="auto", flip=True) == (AugmentationConfig(shift=0, flip=True), "")
    monkeypatch.setattr(augmentation, "MAX_ROWS", 15)
    assert chosen(data, count=24)[0].flip is True


def test_data_that_the_axes_reconstruct_exactly_need_no_copies() -> None:
    """All of these images are one motif, brighter or darker, with one axis."""
    images = np.linspace(0, 1, 20)[:, None, None, None] * np.ones((20, 1, 8, 8))
    assert chosen(data_of(images), count=1)[0] == NONE
