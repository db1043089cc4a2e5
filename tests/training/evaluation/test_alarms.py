"""Each alarm gives its numbers, and a good run raises none."""

from __future__ import annotations

import pytest

from app.manifest import Measurement
from training.evaluation.alarms import alarms


def measurements(**values: float) -> list[Measurement]:
    """Return one measurement of these values."""
    return [Measurement(data_set="any", protocol="any", values=values)]


def losses(train: list[float], validation: list[float]) -> dict[str, list[dict[str, float]]]:
    """Return the history of one stage, with epochs from 1."""
    pairs = enumerate(zip(train, validation, strict=True), start=1)
    return {"stack": [{"epoch": epoch, "train/loss": t, "validation/loss": v} for epoch, (t, v) in pairs]}


def test_a_good_run_raises_no_alarm() -> None:
    values = measurements(mse=0.01, pca_mse=0.02, untrained_mse=0.2, active_units=8, latent_dimensions=16)
    assert alarms(values, losses([3, 2, 1], [3, 2, 1.5])) == ()
    assert alarms([], {}) == ()


@pytest.mark.parametrize(
    ("active", "sentence"),
    [
        (7, "the posterior collapsed: 7 of 16 latent units are active"),
        (0, "the posterior collapsed completely: 0 of 16 latent units are active"),
    ],
)
def test_a_collapsed_posterior_raises_an_alarm(active: int, sentence: str) -> None:
    assert alarms(measurements(active_units=active, latent_dimensions=16), {}) == (sentence,)


def test_a_network_that_does_not_beat_a_baseline_raises_an_alarm() -> None:
    values = measurements(mse=0.02, pca_mse=0.02, untrained_mse=0.01)
    assert alarms(values, {}) == (
        "the network does not beat PCA of the same size: an MSE of 0.02 against 0.02",
        "the network does not beat its untrained self: an MSE of 0.02 against 0.01",
    )


def test_a_network_with_unused_units_is_compared_with_a_smaller_pca() -> None:
    fair = measurements(mse=0.12, pca_mse=0.003, pca_active_mse=0.13, active_units=2, latent_dimensions=4)
    assert alarms(fair, {}) == ()
    cut_short = measurements(mse=0.2, pca_mse=0.003, pca_active_mse=0.13, active_units=2, latent_dimensions=4)
    assert alarms(cut_short, {}) == (
        "the network does not beat PCA with as many components as there are active units: an MSE of 0.2 against 0.13",
    )


@pytest.mark.parametrize(
    ("share", "has_alarm"), [(0.8504, False), (0.7954, False), (0.79, True), (0.2, True), (None, True)]
)
def test_a_variational_network_may_explain_a_little_less_than_pca(share: float | None, has_alarm: bool) -> None:
    """PCA explains 0.8836, of which nine tenths are 0.79524."""
    values = {"mse": 0.1373, "pca_mse": 0.0022, "pca_active_mse": 0.1069, "pca_active_r2": 0.8836}
    found = [*measurements(**values, **({} if share is None else {"r2": share})), *measurements(active_units=2.0)]
    found[1].values["latent_dimensions"] = 4.0
    assert bool(alarms(found, {})) is has_alarm
    assert len(alarms(found[:1], {})) == 1  # another network is not noisy


def test_an_overfit_alarm_names_both_epochs() -> None:
    assert alarms([], losses([10, 4, 3, 2], [10, 5, 6, 7])) == (
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
def test_other_histories_are_not_an_overfit(train: list[float], validation: list[float]) -> None:
    assert alarms([], losses(train, validation)) == ()


def test_a_rise_from_the_first_epoch_on_is_an_overfit() -> None:
    assert len(alarms([], losses([10, 9], [10, 10.01]))) == 1


def test_negative_losses_of_densities_are_compared_by_their_drop() -> None:
    assert alarms([], losses([-1, -5, -6], [-1, -5, -4.95])) == ()
    assert len(alarms([], losses([-1, -5, -6], [-1, -5, -4.8]))) == 1


def test_epochs_without_a_validation_are_ignored() -> None:
    history = losses([10, 4], [10, 5])
    history["stack"].append({"epoch": 3, "train/loss": 1})
    assert alarms([], history) == ()
