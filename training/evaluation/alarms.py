"""Warnings about a run that went wrong: one sentence each, with its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from app.manifest import Measurement

MIN_OVERFIT_SHARE = 0.02
"""Share of the validation loss's drop from the first epoch to the best. A smaller rise after the best is noise."""


def alarms(
    measurements: Sequence[Measurement], history: Mapping[str, Sequence[Mapping[str, float]]]
) -> tuple[str, ...]:
    """Return the warnings that a user should know before trusting the model; empty if there are none."""
    warnings = [warning for measurement in measurements for warning in _check_values(measurement.values)]
    warnings += [warning for stage, records in history.items() for warning in _check_overfit(stage, records)]
    return tuple(warnings)


def _check_values(values: Mapping[str, float]) -> Iterable[str]:
    if "active_units" in values and 2 * values["active_units"] < values["latent_dimensions"]:
        active, latent_dim = values["active_units"], values["latent_dimensions"]
        extent = "the posterior collapsed" if active else "the posterior collapsed completely"
        yield f"{extent}: {active:.0f} of {latent_dim:.0f} latent units are active"
    linear = ("pca_mse", "PCA of the same size")
    if "pca_active_mse" in values:
        linear = ("pca_active_mse", "PCA with as many components as there are active units")
    for rival, name in (linear, ("untrained_mse", "its untrained self")):
        if rival in values and values["mse"] >= values[rival]:
            numbers = f"an MSE of {values['mse']:.4g} against {values[rival]:.4g}"
            yield f"the network does not beat {name}: {numbers}"


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
