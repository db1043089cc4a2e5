"""Preprocessing is fitted on the training part only and has an inverse; values that it cannot take are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from app.inputs import ImageInput, ValueRange, VectorInput
from tests.helpers.configurations import bundled_config, with_objective
from training.config import Config, PreprocessingConfig
from training.data.dataset import DataSet, Split
from training.errors import DataError, InvalidConfiguration
from training.preprocessing import fit_preprocessing

Array = npt.NDArray[np.float32]


def table(train: list[list[float]], test: list[list[float]] | None = None) -> DataSet:
    """Return a table with the columns a, b, ...; its validation part is its test part."""
    parts = [np.array(rows, np.float32) for rows in (train, test or train)]
    width = parts[0].shape[1]
    splits = [Split(part, None, 1.0) for part in parts]
    names = tuple("abcdef"[:width])
    return data_set(VectorInput(shape=(width,), feature_names=names), splits[0], splits[1])


def data_set(input_spec: ImageInput | VectorInput, train: Split, test: Split) -> DataSet:
    """Return a data set whose validation part is its test part."""
    return DataSet(name="rows", input=input_spec, classes=(), train=train, validation=test, test=test)


def config_of(likelihood: str = "gaussian", **options: Any) -> Config:
    """Return a configuration with this preprocessing."""
    config = with_objective(bundled_config("digits-ae"), likelihood=likelihood)
    return config.model_copy(update={"preprocessing": PreprocessingConfig(**options)})


def test_columns_are_standardised_by_the_training_part() -> None:
    data = table([[1, 10], [3, 30], [5, 50]], test=[[100, 1000]])
    fitted = fit_preprocessing(config_of(), data)
    x = fitted(torch.from_numpy(data.train.in_users_units()))
    deviation = np.sqrt(8 / 3)
    np.testing.assert_allclose(x[:, 0], [-2 / deviation, 0, 2 / deviation], rtol=1e-5)
    np.testing.assert_allclose(x[:, 0], x[:, 1], rtol=1e-5)
    np.testing.assert_allclose(
        fitted(torch.tensor([[100.0, 1000.0]])), [[97 / deviation, 970 / deviation / 10]], rtol=1e-5
    )


def test_a_constant_column_becomes_zero_and_comes_back() -> None:
    fitted = fit_preprocessing(config_of(), table([[1, 7], [3, 7]]))
    x = fitted(torch.tensor([[1.0, 7.0]]))
    assert x.tolist() == [[-1.0, 0.0]]
    assert fitted.inverse(x).tolist() == [[1.0, 7.0]]


def test_log1p_applies_to_the_named_columns_and_has_an_inverse() -> None:
    data = table([[0, 5], [np.e - 1, 6]])
    fitted = fit_preprocessing(config_of(log1p=["a"], scaling="none"), data)
    np.testing.assert_allclose(fitted(torch.tensor([[np.e - 1, 5.0]])), [[1.0, 5.0]], rtol=1e-6)
    np.testing.assert_allclose(fitted.inverse(torch.tensor([[1.0, 5.0]])), [[np.e - 1, 5.0]], rtol=1e-6)


def test_values_are_clipped_to_quantiles_of_the_training_part() -> None:
    rows = [[float(value)] * 2 for value in range(101)]
    fitted = fit_preprocessing(config_of(clip_quantiles=(0.1, 0.9), scaling="none"), table(rows))
    assert fitted(torch.tensor([[-50.0, 5.0], [95.0, 60.0]])).tolist() == [[10.0, 10.0], [90.0, 60.0]]


def test_the_range_of_each_training_column_becomes_0_to_1_and_other_values_are_clipped() -> None:
    fitted = fit_preprocessing(config_of("bernoulli", scaling="range"), table([[0, -2], [10, 2]], test=[[20, 0]]))
    assert fitted(torch.tensor([[5.0, -2.0], [20.0, 0.0]])).tolist() == [[0.5, 0.0], [1.0, 0.5]]


def test_8_bit_images_are_not_changed() -> None:
    pixels = np.arange(2 * 64, dtype=np.uint8).reshape(2, 1, 8, 8)
    image = ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=1))
    split = Split(pixels, None, 1 / 255)
    fitted = fit_preprocessing(config_of("bernoulli"), data_set(image, split, split))
    samples = torch.from_numpy(split.in_users_units())
    assert torch.equal(fitted(samples), samples)


def test_each_channel_of_a_photograph_is_standardised() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 100, (50, 3, 8, 8), np.uint8)
    pixels[:, 1] += 150
    image = ImageInput(shape=(3, 8, 8), value_range=ValueRange(low=0, high=1))
    split = Split(pixels, None, 1 / 255)
    fitted = fit_preprocessing(config_of(), data_set(image, split, split))
    x = fitted(torch.from_numpy(split.in_users_units())).transpose(0, 1).flatten(1)
    np.testing.assert_allclose(x.mean(1), np.zeros(3), atol=1e-4)
    np.testing.assert_allclose(x.std(1, correction=0), np.ones(3), rtol=1e-4)


@pytest.mark.parametrize(
    ("config", "rows", "sentence"),
    [
        (
            config_of("bernoulli", scaling="none"),
            [[0.5, 0.5], [0.5, 1.5]],
            r"row 1 of the training part, column 'b': 1\.5",
        ),
        (config_of(log1p=True), [[1, 1], [-3, 1]], "log1p of column 'a': expected no negative value, found -3"),
    ],
)
def test_values_outside_the_domain_of_a_step_are_refused(
    config: Config, rows: list[list[float]], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        fit_preprocessing(config, table(rows))


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            config_of("bernoulli", scaling="standardise"),
            "^--set preprocessing.scaling=standardise: standardised values do not",
        ),
        (config_of(log1p=["z"]), "^--set preprocessing.log1p: no column 'z'; there are a, b"),
    ],
)
def test_an_impossible_preprocessing_is_refused(config: Config, sentence: str) -> None:
    with pytest.raises(InvalidConfiguration, match=sentence):
        fit_preprocessing(config, table([[0, 1], [1, 0]]))
