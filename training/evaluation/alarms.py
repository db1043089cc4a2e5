"""Warnings about a run that went wrong: one sentence each, with its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from app.manifest import Measurement

MIN_OVERFIT_SHARE = 0.02
"""Share of the validation loss's drop from the first epoch to the best. A smaller rise after the best is noise."""
MIN_EXPLAINED_SHARE = 0.9
"""
Share of PCA's explained variance that a variational network must explain.

Its latents are noisy, so that even a network that is trained to the end explains a little less than PCA of its active
units: 96 % of it on 400 rows of two factors in five columns after 300 epochs (`python -m bench.cases alarms`).
"""


def alarms(
    measurements: Sequence[Measurement], history: Mapping[str, Sequence[Mapping[str, float]]]
) -> tuple[str, ...]:
    """Return the warnings that a user should know before trusting the model; empty if there are none."""
    is_variational = any("active_units" in measurement.values for measurement in measurements)
    warnings = [w for measurement in measurements for w in _check_values(measurement.values, is_variational)]
    warnings += [warning for stage, records in history.items() for warning in _check_overfit(stage, records)]
    return tuple(warnings)


def _check_values(values: Mapping[str, float], is_variational: bool) -> Iterable[str]:
    if "active_units" in values and 2 * values["active_units"] < values["latent_dimensions"]:
        active, latent_dim = values["active_units"], values["latent_dimensions"]
        extent = "the posterior collapsed" if active else "the posterior collapsed completely"
        yield f"{extent}: {active:.0f} of {latent_dim:.0f} latent units are active"
    linear = ("pca", "PCA of the same size")
    if "pca_active_mse" in values:
        linear = ("pca_active", "PCA with as many components as there are active units")
    for rival, name in (linear, ("untrained", "its untrained self")):
        if values.get("mse", 0) >= values.get(f"{rival}_mse", math.inf):
            if is_variational and _explains_enough(values.get("r2"), values.get(f"{rival}_r2")):
                continue
            numbers = f"an MSE of {values['mse']:.4g} against {values[f'{rival}_mse']:.4g}"
            yield f"the network does not beat {name}: {numbers}"


def _explains_enough(share: float | None, rival: float | None) -> bool:
    """Return True if a variational network explains almost as much of the variance as its rival."""
    return share is not None and rival is not None and share >= MIN_EXPLAINED_SHARE * rival


def _check_overfit(stage: str, records: Sequence[Mapping[str, float]]) -> Iterable[str]:
    """Yield a warning if the validation loss rises while the training loss falls. If both rise, it is no overfit."""
    known = [record for record in records if {"train/loss", "validation/loss"} <= record.keys()]
    if len(known) < 2:
        return
    first, last = known[0], known[-1]
    best = min(known, key=lambda record: record["validation/loss"])
    rise = last["validation/loss"] - best["validation/loss"]
    allowed = MIN_OVERFIT_SHARE * (first["validation/loss"] - best["validation/loss"])
    if rise > allowed and last["train/loss"] < best["train/loss"]:
        yield (
            f"{stage}: overfit: from epoch {best['epoch']:.0f} to epoch {last['epoch']:.0f} the validation loss rose "
            f"from {best['validation/loss']:.4g} to {last['validation/loss']:.4g} while the training loss fell from "
            f"{best['train/loss']:.4g} to {last['train/loss']:.4g}"
        )
