"""Every value that a configuration leaves to the data, and the reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.choices.augmentation import NONE, choose_augmentation
from training.choices.budget import (
    EFFORTS,
    QUICK_PRIOR_ROWS,
    Effort,
    choose_batch_size,
    choose_denoiser_steps,
    choose_epochs,
    choose_folds,
    choose_learning_rate,
    choose_passes,
    choose_patience,
    denoiser_rows,
)
from training.choices.latents import choose_latent_dim
from training.choices.layers import conv_layers, dense_widths
from training.choices.likelihood import choose_likelihood
from training.choices.precision import choose_precision
from training.config import Config, DenoisingObjective, settled
from training.data.dataset import DataSet
from training.errors import InvalidConfiguration
from training.preprocessing import fit_preprocessing


@dataclass(frozen=True)
class Choices:
    """A configuration without `auto`, and what was chosen, by the option's name in the findings."""

    config: Config
    reasons: Mapping[str, str]

    def describe(self) -> str:
        """Return aligned lines as the findings have them, without a newline at the end; empty if nothing was open."""
        return "\n".join(f"{name:<12}{text}" for name, text in self.reasons.items())


def settle(config: Config, data: DataSet) -> Choices:
    """
    Return the configuration with a value for each `auto`. The same data and options give the same values.

    Raises InvalidConfiguration or DataError as the preprocessing does.
    """
    reasons: dict[str, str] = {}
    if config.objective.likelihood == "auto":
        name, reason = choose_likelihood(config, data)
        config = _with(config, "objective", likelihood=name)
        reasons["likelihood"] = f"{name}: {reason}"
    config = _settle_network(config, data, reasons)
    config = _settle_augmentation(config, data, reasons)
    config = _settle_prior(config, config.optimisation.effort)
    config = _settle_denoiser(_settle_budget(config, data, reasons), data, config.optimisation.effort)
    return Choices(config, reasons)


def _settle_prior(config: Config, effort: Effort) -> Config:
    """Leave out the second fit of the prior, to all rows, in a quick training."""
    is_short = effort == "quick" and config.prior.rows == "auto"
    return _with(config, "prior", rows=QUICK_PRIOR_ROWS) if is_short else config


def _with(config: Config, section: str, **values: Any) -> Config:
    """Return a configuration with other values in one section."""
    return config.model_copy(update={section: getattr(config, section).model_copy(update=values)})


def _settle_network(config: Config, data: DataSet, reasons: dict[str, str]) -> Config:
    network, shape = config.network, data.input.shape
    if network.widths == "auto":
        if network.architecture == "conv" and len(shape) == 3:
            widths, blocks = conv_layers(*shape[1:])
            config = _with(config, "network", widths=widths, residual_blocks=blocks)
        else:
            config = _with(config, "network", widths=dense_widths(math.prod(shape)), residual_blocks=())
    if network.latent_dim == "auto":
        latent_dim, reason = choose_latent_dim(data, fit_preprocessing(config, data), network.architecture)
        config = _with(config, "network", latent_dim=latent_dim)
        reasons["latents"] = f"{latent_dim}: {reason}"
    return config


def _settle_augmentation(config: Config, data: DataSet, reasons: dict[str, str]) -> Config:
    options = config.augmentation
    if "auto" not in (options.shift, options.flip):
        return config
    if len(data.input.shape) != 3:
        return config.model_copy(update={"augmentation": NONE})
    chosen, reason = choose_augmentation(
        options, data, fit_preprocessing(config, data), settled(config.network.latent_dim)
    )
    parts = [f"shifts of up to {chosen.shift} pixels"] if options.shift == "auto" and chosen.shift else []
    parts += ["mirrored images"] if options.flip == "auto" and chosen.flip else []
    if reason:
        others = "no others" if chosen.is_active else "none"
        reasons["copies"] = f"{' and '.join(parts) or others}: {reason}"
    return config.model_copy(update={"augmentation": chosen})


def _settle_budget(config: Config, data: DataSet, reasons: dict[str, str]) -> Config:
    options, rows, architecture = config.optimisation, len(data.train), config.network.architecture
    batch_size = choose_batch_size(rows, architecture) if options.batch_size == "auto" else options.batch_size
    passes = choose_passes(rows, batch_size) if options.passes == "auto" else options.passes
    if options.epochs == "auto":
        epochs = choose_epochs(rows, batch_size, passes, architecture, options.effort)
    else:
        epochs = max(1, round(options.epochs * EFFORTS[options.effort]))
    # the effort has been applied, and must not be once more
    values: dict[str, Any] = {"batch_size": batch_size, "passes": passes, "epochs": epochs, "effort": "normal"}
    if options.learning_rate == "auto":
        values["learning_rate"] = choose_learning_rate(batch_size, architecture)
    if options.patience == "auto":
        values["patience"] = choose_patience(epochs)
    all_rows, staged = rows + len(data.validation), isinstance(config.objective, DenoisingObjective)
    if options.folds == "auto":
        values["folds"] = folds = choose_folds(all_rows, tuple(data.input.shape), staged)
        if folds:
            reasons["validation"] = f"{folds} parts of {all_rows} rows, each held out once; then all rows train"
    elif options.folds and staged:
        raise InvalidConfiguration("optimisation.folds: a denoising autoencoder has several stages, and no folds")
    if options.precision == "auto":
        values["precision"], reason = choose_precision(architecture)
        if reason:
            reasons["precision"] = f"{values['precision']}: {reason}"
    steps = epochs * passes * math.ceil(rows / batch_size)
    if "auto" in (options.batch_size, options.passes, options.epochs) or options.effort != "normal":
        reasons["steps"] = f"{steps} of {batch_size} rows, in {epochs} epochs of {_times(passes)} the training part"
    return _with(config, "optimisation", **values)


def _settle_denoiser(config: Config, data: DataSet, effort: Effort) -> Config:
    objective = config.objective
    if not isinstance(objective, DenoisingObjective) or objective.denoiser_steps != "auto":
        return config
    rows = denoiser_rows(tuple(data.input.shape), settled(config.optimisation.batch_size))
    return _with(config, "objective", denoiser_steps=choose_denoiser_steps(len(data.train), rows, effort))


def _times(passes: int) -> str:
    return "once" if passes == 1 else f"{passes} times"
