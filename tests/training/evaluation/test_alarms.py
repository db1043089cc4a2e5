"""Each alarm gives its numbers, and a good run raises none."""

from __future__ import annotations

import pytest

from app.inputs import VectorInput
from app.manifest import Family, FileDigest, Manifest, Measurement
from app.priors import DeterministicLatent
from training.evaluation.alarms import alarms
from training.evaluation.harm import denoising_alarms

DIGEST = FileDigest(sha256="0" * 64, bytes=1)
History = dict[str, list[dict[str, float]]]


def manifest(family: Family = "autoencoder") -> Manifest:
    """Return the manifest of a model of two columns."""
    return Manifest(
        name="any",
        version=1,
        description="any",
        family=family,
        tasks=("encode",),
        input=VectorInput(shape=(2,), feature_names=("age", "weight")),
        latent=DeterministicLatent(dimension=1),
        files=dict.fromkeys(("encoder.onnx", "decoder.onnx", "golden.npz"), DIGEST),
    )


def warned(measured: list[Measurement], history: History | None = None) -> tuple[str, ...]:
    """Return the warnings about an autoencoder whose run was not cut short."""
    return alarms(measured, history or {}, manifest())


def measurements(**values: float) -> list[Measurement]:
    """Return one measurement of these values."""
    return [Measurement(data_set="any", protocol="any", values=values)]


def losses(train: list[float], validation: list[float]) -> History:
    """Return the history of one stage, with epochs from 1."""
    pairs = enumerate(zip(train, validation, strict=True), start=1)
    return {"stack": [{"epoch": epoch, "train/loss": t, "validation/loss": v} for epoch, (t, v) in pairs]}


def test_a_good_run_raises_no_alarm() -> None:
    values = measurements(mse=0.01, pca_mse=0.02, untrained_mse=0.2, active_units=8, latent_dimensions=16)
    assert warned(values, losses([3, 2, 1], [3, 2, 1.5])) == ()
    assert warned([]) == ()


@pytest.mark.parametrize(
    ("active", "sentence"),
    [
        (7, "the posterior collapsed: 7 of 16 latent units are active"),
        (0, "the posterior collapsed completely: 0 of 16 latent units are active"),
    ],
)
def test_a_collapsed_posterior_raises_an_alarm(active: int, sentence: str) -> None:
    assert warned(measurements(active_units=active, latent_dimensions=16)) == (sentence,)


def test_a_network_that_does_not_beat_a_baseline_raises_an_alarm() -> None:
    values = measurements(mse=0.02, pca_mse=0.02, untrained_mse=0.01)
    assert warned(values) == (
        "the network does not beat PCA of the same size: an MSE of 0.02 against 0.02",
        "the network does not beat its untrained self: an MSE of 0.02 against 0.01",
    )


def test_a_network_with_unused_units_is_compared_with_a_smaller_pca() -> None:
    fair = measurements(mse=0.12, pca_mse=0.003, pca_active_mse=0.13, active_units=2, latent_dimensions=4)
    assert warned(fair) == ()
    worse = measurements(mse=0.2, pca_mse=0.003, pca_active_mse=0.13, active_units=2, latent_dimensions=4)
    assert warned(worse) == (
        "the network does not beat PCA with as many components as there are active units: an MSE of 0.2 against 0.13",
    )


@pytest.mark.parametrize(
    ("share", "has_alarm"), [(0.8504, False), (0.7954, False), (0.79, True), (0.2, True), (None, True)]
)
def test_a_variational_network_may_explain_a_little_less_than_pca(share: float | None, has_alarm: bool) -> None:
    """PCA explains 0.8836, of which nine tenths are 0.79524."""
    values = {"mse": 0.1373, "pca_mse": 0.0022, "pca_active_mse": 0.1069, "pca_active_r2": 0.8836}
    found = measurements(**values, **({} if share is None else {"r2": share}))
    assert bool(alarms(found, {}, manifest("variational-autoencoder"))) is has_alarm
    assert len(warned(found)) == 1  # another network is not noisy


def test_an_overfit_alarm_names_both_epochs() -> None:
    assert warned([], losses([10, 4, 3, 2], [10, 5, 6, 7])) == (
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
    assert warned([], losses(train, validation)) == ()


def test_a_rise_from_the_first_epoch_on_is_an_overfit() -> None:
    assert len(warned([], losses([10, 9], [10, 10.01]))) == 1


def test_negative_losses_of_densities_are_compared_by_their_drop() -> None:
    assert warned([], losses([-1, -5, -6], [-1, -5, -4.95])) == ()
    assert len(warned([], losses([-1, -5, -6], [-1, -5, -4.8]))) == 1


def test_epochs_without_a_validation_are_ignored() -> None:
    history = losses([10, 4], [10, 5])
    history["stack"].append({"epoch": 3, "train/loss": 1})
    assert warned([], history) == ()


def test_pca_is_no_rival_of_a_denoiser_or_of_a_run_that_was_cut_short() -> None:
    values = measurements(mse=0.3, pca_mse=0.02, pca_active_mse=0.02, untrained_mse=0.2)
    own = ("the network does not beat its untrained self: an MSE of 0.3 against 0.2",)
    assert alarms(values, {}, manifest("denoising-autoencoder")) == own
    assert alarms(values, {}, manifest(), cut_short=True) == own
    assert len(alarms(values, {}, manifest())) == 2


@pytest.mark.parametrize(
    ("share", "cause"), [(0.995, ", 99.5 % of whose training values are equal, costs"), (0.2, " costs")]
)
def test_a_column_that_ruins_the_test_likelihood_is_named(share: float, cause: str) -> None:
    column = {"ruinous_column": 1, "ruinous_column_nats": 1200.5, "ruinous_column_constant_share": share}
    values = measurements(negative_elbo=1210.25, negative_elbo_without_column=9.75, **column)
    assert warned(values) == (
        f'the test likelihood is that of one column: column "weight"{cause} 1200 nats per row; without it the negative '
        "bound is 9.75 in place of 1210",
    )


def test_a_difference_within_the_standard_error_raises_no_alarm() -> None:
    assert warned(measurements(mse=0.021, pca_mse=0.02, mse_standard_error=0.002)) == ()
    assert len(warned(measurements(mse=0.023, pca_mse=0.02, mse_standard_error=0.002))) == 1


def test_an_answer_of_a_denoiser_that_harms_raises_an_alarm() -> None:
    values = {"noise_amount": 0.5, "mse": 0.2, "noisy_mse": 0.1}
    measured = [Measurement(data_set="any", protocol="gaussian noise", values=values)]
    assert warned(measured) == tuple(denoising_alarms(measured)) != ()
