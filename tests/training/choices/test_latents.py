"""As many latents as principal components that explain 95 % of held-out variance, within limits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_data import data_of, planted_rows
from training.choices.latents import choose_latent_dim
from training.data.dataset import DataSet
from training.preprocessing import fit_preprocessing


def chosen(data: DataSet, architecture: str = "dense", scaling: str = "none") -> tuple[int, str]:
    """Return the number of latents of unscaled data, and the reason."""
    config = with_objective(bundled_config("table-ae"), likelihood="gaussian")
    config = config.model_copy(update={"preprocessing": config.preprocessing.model_copy(update={"scaling": scaling})})
    return choose_latent_dim(data, fit_preprocessing(config, data), architecture)


@pytest.mark.parametrize(
    ("deviations", "latents"),
    [
        ((10.0, 10.0, 10.0, 1.0, 1.0), 3),  # 300 of 302
        ((10.0, 10.0, 10.0, 5.0, 1.0), 4),  # 300 of 326 are 92 %
        ((10.0, 1.0, 1.0, 1.0), 2),  # one would do, and 2 is the least
        ((1.0,) * 30, 29),  # 28 of 30 are 93 %
        ((1.0,) * 60, 32),  # the most for a dense network
    ],
)
def test_latents_explain_95_percent_of_planted_variances(deviations: tuple[float, ...], latents: int) -> None:
    rows = planted_rows(20_000, deviations, 70)
    assert chosen(data_of(rows))[0] == latents


def test_the_reason_names_the_share_of_held_out_variance() -> None:
    rows = planted_rows(3_000, (3.0, 2.0, 1.0, 0.5), 12, noise=0.3)
    train, held_out = rows[:2_000], rows[2_000:]
    latents, reason = chosen(data_of(train, held_out))
    pca = PCA(latents).fit(train)
    left = np.square(held_out - pca.inverse_transform(pca.transform(held_out))).sum()
    share = 1 - left / np.square(held_out - train.mean(0)).sum()
    assert 0.95 <= share < 1
    assert reason == f"that many principal components explain {share:.0%} of the variance of the validation part"


def test_held_out_rows_decide_and_not_those_that_the_axes_were_fitted_to() -> None:
    """Axes of few rows with much noise explain more of these than of other rows."""
    rows = planted_rows(560, (6.0, 4.0, 3.0, 2.0), 16, noise=0.7)
    train, held_out = rows[:60], rows[60:]
    pca = PCA(12).fit(train)
    centred = held_out - train.mean(0)
    shares = np.square(centred @ pca.components_.T).sum(0).cumsum() / np.square(centred).sum()
    expected = int((shares < 0.95).sum()) + 1
    assert expected > int((pca.explained_variance_ratio_.cumsum() < 0.95).sum()) + 1
    assert chosen(data_of(train, held_out))[0] == expected <= 12


def test_a_convolutional_network_may_have_more_latents() -> None:
    rows = planted_rows(2_000, (1.0,) * 100, 144).reshape(2_000, 1, 12, 12)
    assert chosen(data_of((rows - rows.min()) / np.ptp(rows)), "conv")[0] == 64


@pytest.mark.parametrize(
    ("rows", "columns", "latents"),
    [(50, 40, 10), (12, 40, 2), (9, 40, 1), (3, 40, 1), (500, 2, 1), (500, 3, 2)],
    ids=["a fifth of the rows", "two", "one of nine rows", "at least one", "one of two columns", "two of three"],
)
def test_latents_are_fewer_than_columns_and_a_fifth_of_the_rows(rows: int, columns: int, latents: int) -> None:
    assert chosen(data_of(np.random.default_rng(0).normal(size=(rows, columns))))[0] == latents


def test_a_constant_validation_part_gets_a_number_too() -> None:
    train = np.random.default_rng(0).normal(size=(100, 8))
    latents, reason = chosen(data_of(train, np.tile(train.mean(0), (5, 1))))
    assert 2 <= latents <= 7
    assert "nan" not in reason
