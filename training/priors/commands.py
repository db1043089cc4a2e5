"""The command `hourglass-train prior`: add a prior to a version, as a new version of the same model."""

from __future__ import annotations

import argparse

from pydantic import ValidationError

from training.checks import check_models_folder
from training.config import Config, PriorConfig, describe_problems
from training.errors import InvalidConfiguration


def prior_command(options: argparse.Namespace) -> int:
    """Add a prior to a version, print the folder of the new version, and leave the old version as it is."""
    prior_options(PriorConfig(), options)  # scikit-learn takes seconds to import, which a mistake need not wait for
    check_models_folder(options.models_dir)
    from training.evaluation.held_out import load_as_in_training
    from training.evaluation.version import choose_data, find_version, open_version, shaped_for, stored_config

    folder = find_version(options.model, options.models_dir)
    manifest = open_version(folder).manifest
    config = stored_config(manifest)
    source = choose_data(manifest, config, options.data, options.data_dir)
    if options.label is not None:
        source = source.model_copy(update={"label": options.label})
    seed = config.optimisation.seed if config else 0
    data = shaped_for(manifest, load_as_in_training(config, source, options.data_dir))
    from training.priors.version import add_prior

    print(add_prior(folder, manifest, data, own_options(config, options), seed, options.models_dir))
    return 0


def own_options(config: Config | None, options: argparse.Namespace) -> PriorConfig:
    """Return the options of a model's own configuration, with those of the command line in their place."""
    stored = config.prior if config else PriorConfig()
    if stored.kind == "none":  # the command asks for a prior
        stored = stored.model_copy(update={"kind": "auto"})
    return prior_options(stored, options)


def prior_options(stored: PriorConfig, options: argparse.Namespace) -> PriorConfig:
    """Return options with those of the command line in their place. Raises InvalidConfiguration."""
    flags = {name: getattr(options, name) for name in ("kind", "components", "covariance")}
    changed = stored.model_dump() | {name: value for name, value in flags.items() if value is not None}
    try:
        return PriorConfig.model_validate(changed)
    except ValidationError as error:
        raise InvalidConfiguration(describe_problems(error, place=lambda path: f"--{path}: ")) from error
