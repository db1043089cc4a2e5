"""Warnings about a run that went wrong: one sentence each, with its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.manifest import Manifest, Measurement
from training.evaluation.harm import denoising_alarms
from training.evaluation.measures.columns import MIN_CONSTANT_SHARE, column_name

MIN_OVERFIT_SHARE = 0.02
"""Share of the validation loss's drop from the first epoch to the best. A smaller rise after the best is noise."""
MIN_EXPLAINED_SHARE = 0.9
"""
Share of PCA's explained variance that a variational network must explain.

Its latents are noisy, so that even a network that is trained to the end explains a little less than PCA of its active
units: 96 % of it on 400 rows of two factors in five columns after 300 epochs.
"""


def alarms(
    measurements: Sequence[Measurement],
    history: Mapping[str, Sequence[Mapping[str, float]]],
    manifest: Manifest,
    *,
    cut_short: bool = False,
) -> tuple[str, ...]:
    """
    Return the warnings that a user should know before trusting the model; empty if there are none.

    PCA is no rival of a denoiser, which is trained on noisy samples, nor of a run that --max-minutes cut short.
    """
    has_rival = not cut_short and manifest.family != "denoising-autoencoder"
    warnings: list[str] = []
    for measurement in measurements:
        values = measurement.values
        warnings += _check_latents(values)
        warnings += _check_rivals(values, has_rival, manifest.family == "variational-autoencoder")
        warnings += _check_columns(values, manifest)
    warnings += denoising_alarms(measurements)
    warnings += [warning for stage, records in history.items() for warning in _check_overfit(stage, records)]
    return tuple(warnings)


def _check_latents(values: Mapping[str, float]) -> Iterable[str]:
    if "active_units" in values and 2 * values["active_units"] < values["latent_dimensions"]:
        active, latent_dim = values["active_units"], values["latent_dimensions"]
        extent = "the posterior collapsed" if active else "the posterior collapsed completely"
        yield f"{extent}: {active:.0f} of {latent_dim:.0f} latent units are active"


def _check_rivals(values: Mapping[str, float], has_rival: bool, is_variational: bool) -> Iterable[str]:
    """Yield the rivals that are better by the standard error of the MSE or more: six rows prove little."""
    rivals = {"untrained_mse": "its untrained self"}
    if has_rival and "pca_active_mse" in values:
        rivals = {"pca_active_mse": "PCA with as many components as there are active units", **rivals}
    elif has_rival:
        rivals = {"pca_mse": "PCA of the same size", **rivals}
    for rival, name in rivals.items():
        if is_variational and _explains_enough(values.get("r2"), values.get(rival.replace("_mse", "_r2"))):
            continue
        if rival in values and values["mse"] - values[rival] >= values.get("mse_standard_error", 0.0):
            numbers = f"an MSE of {values['mse']:.4g} against {values[rival]:.4g}"
            yield f"the network does not beat {name}: {numbers}"


def _check_columns(values: Mapping[str, float], manifest: Manifest) -> Iterable[str]:
    if "ruinous_column" not in values:
        return
    name = column_name(manifest, int(values["ruinous_column"]))
    share = values["ruinous_column_constant_share"]
    cause = f", {100 * share:.3g} % of whose training values are equal," if share >= MIN_CONSTANT_SHARE else ""
    yield (
        f"the test likelihood is that of one column: {name}{cause} costs {values['ruinous_column_nats']:.4g} nats per "
        f"row; without it the negative bound is {values['negative_elbo_without_column']:.4g} in place of "
        f"{values['negative_elbo']:.4g}"
    )


def _explains_enough(share: float | None, rival: float | None) -> bool:
    """Return True if a variational network explains almost as much of the variance as its rival."""
    return share is not None and rival is not None and share >= MIN_EXPLAINED_SHARE * rival


def _check_overfit(stage: str, records: Sequence[Mapping[str, float]]) -> Iterable[str]:
    """Yield a warning if the validation loss rises while the training loss falls. If both rise, it is no overfit."""
    term = "mse" if all("validation/mse" in record for record in records) else "loss"
    train, validation = f"train/{term}", f"validation/{term}"
    known = [record for record in records if {train, validation} <= record.keys()]
    if len(known) < 2:
        return
    first, last = known[0], known[-1]
    best = min(known, key=lambda record: record[validation])
    rise = last[validation] - best[validation]
    allowed = MIN_OVERFIT_SHARE * (first[validation] - best[validation])
    if rise > allowed and last[train] < best[train]:
        yield (
            f"{stage}: overfit: from epoch {best['epoch']:.0f} to epoch {last['epoch']:.0f} the validation {term} rose "
            f"from {best[validation]:.4g} to {last[validation]:.4g} while the training {term} fell from "
            f"{best[train]:.4g} to {last[train]:.4g}"
        )
