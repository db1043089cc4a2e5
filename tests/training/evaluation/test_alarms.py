"""Each alarm with its numbers, and silence where nothing is wrong."""

from __future__ import annotations

import pytest

from app.manifest import Measurement
from training.evaluation.alarms import alarms


def measured(**values: float) -> list[Measurement]:
    """A measurement of these values."""
    return [Measurement(data_set="any", protocol="any", values=values)]


def losses(train: list[float], validation: list[float]) -> dict[str, list[dict[str, float]]]:
    """The history of one stage, epochs from 1."""
    pairs = enumerate(zip(train, validation, strict=True), start=1)
    return {"stack": [{"epoch": epoch, "train/loss": t, "validation/loss": v} for epoch, (t, v) in pairs]}


def test_a_good_run_is_silent() -> None:
    values = measured(mse=0.01, pca_mse=0.02, untrained_mse=0.2, active_units=8, latent_dimensions=16)
    assert alarms(values, losses([3, 2, 1], [3, 2, 1.5])) == ()
    assert alarms([], {}) == ()


@pytest.mark.parametrize(
    ("active", "sentence"),
    [
        (7, "the posterior collapsed: 7 of 16 latent units are active"),
        (0, "the posterior collapsed wholly: 0 of 16 latent units are active"),
    ],
)
def test_a_collapsed_posterior_is_counted(active: int, sentence: str) -> None:
    assert alarms(measured(active_units=active, latent_dimensions=16), {}) == (sentence,)


def test_a_network_that_does_not_beat_a_rival_is_told_with_both_errors() -> None:
    values = measured(mse=0.02, pca_mse=0.02, untrained_mse=0.01)
    assert alarms(values, {}) == (
        "the network does not beat PCA of the same size: an MSE of 0.02 against 0.02",
        "the network does not beat its untrained self: an MSE of 0.02 against 0.01",
    )


def test_an_overfit_names_both_epochs() -> None:
    said = alarms([], losses([10, 4, 3, 2], [10, 5, 6, 7]))
    assert said == (
        "stack: overfit: from epoch 2 to epoch 4 the validation loss rose from 5 to 7 while the training loss "
        "fell from 4 to 2",
    )


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ([10, 4, 3], [10, 5, 5.09]),  # less than 2 % of the drop of 5
        ([10, 4, 5], [10, 5, 7]),  # both rise: it diverged
        ([10], [10]),
        ([], []),
    ],
)
def test_what_is_no_overfit_is_silent(train: list[float], validation: list[float]) -> None:
    assert alarms([], losses(train, validation)) == ()


def test_a_rise_from_the_first_epoch_on_is_an_overfit() -> None:
    assert len(alarms([], losses([10, 9], [10, 10.01]))) == 1


def test_negative_losses_of_densities_are_compared_by_their_drop() -> None:
    assert alarms([], losses([-1, -5, -6], [-1, -5, -4.95])) == ()
    assert len(alarms([], losses([-1, -5, -6], [-1, -5, -4.8]))) == 1


def test_epochs_without_a_validation_are_passed_over() -> None:
    history = losses([10, 4], [10, 5])
    history["stack"].append({"epoch": 3, "train/loss": 1})
    assert alarms([], history) == ()
