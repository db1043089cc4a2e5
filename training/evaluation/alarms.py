"""A run that went wrong says so: one sentence for each thing, with its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.manifest import Measurement

OVERFIT_SHARE = 0.02
"""Of the validation loss's drop from the first epoch to the best: a smaller rise after it is noise."""


def alarms(
    measurements: Sequence[Measurement], history: Mapping[str, Sequence[Mapping[str, float]]]
) -> tuple[str, ...]:
    """What a user should know before trusting the model; empty where nothing is wrong."""
    said = [alarm for measurement in measurements for alarm in _of_values(measurement.values)]
    said += [alarm for stage, records in history.items() for alarm in _overfit(stage, records)]
    return tuple(said)


def _of_values(values: Mapping[str, float]) -> list[str]:
    said = []
    if "active_units" in values and 2 * values["active_units"] < values["latent_dimensions"]:
        active, latent_dim = values["active_units"], values["latent_dimensions"]
        extent = "the posterior collapsed" if active else "the posterior collapsed wholly"
        said.append(f"{extent}: {active:.0f} of {latent_dim:.0f} latent units are active")
    for rival, name in (("pca_mse", "PCA of the same size"), ("untrained_mse", "its untrained self")):
        if rival in values and values["mse"] >= values[rival]:
            numbers = f"an MSE of {values['mse']:.4g} against {values[rival]:.4g}"
            said.append(f"the network does not beat {name}: {numbers}")
    return said


def _overfit(stage: str, records: Sequence[Mapping[str, float]]) -> list[str]:
    """Validation that rises while the training loss falls on; a rise of both is no overfit."""
    known = [record for record in records if {"train/loss", "validation/loss"} <= record.keys()]
    if len(known) < 2:
        return []
    first, last = known[0], known[-1]
    best = min(known, key=lambda record: record["validation/loss"])
    rise = last["validation/loss"] - best["validation/loss"]
    allowed = OVERFIT_SHARE * (first["validation/loss"] - best["validation/loss"])
    if rise <= allowed or last["train/loss"] >= best["train/loss"]:
        return []
    return [
        f"{stage}: overfit: from epoch {best['epoch']:.0f} to epoch {last['epoch']:.0f} the validation loss rose from "
        f"{best['validation/loss']:.4g} to {last['validation/loss']:.4g} while the training loss fell from "
        f"{best['train/loss']:.4g} to {last['train/loss']:.4g}"
    ]
