"""The command `hourglass-train scorer`: add a scorer to a version, as a new version of the same model."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from pydantic import ValidationError

from app.manifest import Manifest
from training.checks import check_models_folder
from training.config import Config, ScorerConfig, describe_problems
from training.data.dataset import DataSet
from training.errors import InvalidConfiguration

log = logging.getLogger(__name__)


def scorer_command(options: argparse.Namespace) -> int:
    """Add a scorer to a version, print the folder of the new version, and leave the old version as it is."""
    scorer_options(ScorerConfig(), options)  # torch takes seconds to import, which a mistake need not wait for
    check_models_folder(options.models_dir)
    from training.evaluation.version import find_version, open_version, stored_config

    folder = find_version(options.model, options.models_dir)
    manifest = open_version(folder).manifest
    config = stored_config(manifest)
    own = scorer_options(config.scorer if config else ScorerConfig(), options)
    seed = config.optimisation.seed if config else 0
    data = load_scorer_data(manifest, config, own, options.data, options.data_dir)
    from training.scorers.version import add_scorer

    print(add_scorer(folder, manifest, data, own, seed, options.models_dir))
    return 0


def load_scorer_data(
    manifest: Manifest, config: Config | None, options: ScorerConfig, path: str | None, data_dir: Path | None
) -> DataSet:
    """
    Load the data of a scorer, with a calibration part that the network was not fitted to.

    Of the data that the model was trained on, it is the part that was held out for it or, if there is none, half of the
    test part. Of other data, it is taken from the training part. Raises DataError if it has training rows of the model.
    """
    from training.data.calibration import MAX_SHARE, calibration_from_test, check_held_out, hold_out_calibration
    from training.evaluation.held_out import find_training_data, is_trained_on, load_as_in_training
    from training.evaluation.version import choose_data, shaped_for

    source = choose_data(manifest, config, path, data_dir)
    seed = config.optimisation.seed if config else 0
    data = shaped_for(manifest, load_as_in_training(config, source, data_dir))
    if is_trained_on(manifest, data):
        return data if data.calibration else calibration_from_test(data, seed)
    data = data if data.calibration else hold_out_calibration(data, options, seed, MAX_SHARE)
    known = find_training_data(manifest, config, data_dir)
    if known is None:
        log.warning("%s: its training rows are not at hand; rows of them would make the p-values too small", data.name)
    elif data.calibration:
        known = shaped_for(manifest, known)
        for part, role in ((known.train, "training rows"), (known.validation, "validation rows")):
            check_held_out(data, part, f"{role} of {manifest.name}")
    return data


def scorer_options(stored: ScorerConfig, options: argparse.Namespace) -> ScorerConfig:
    """Return options with those of the command line in their place. Raises InvalidConfiguration."""
    changed = stored.model_dump() | {"kind": "auto"}  # the command asks for a scorer
    if options.bank_rows is not None:
        changed["bank_rows"] = options.bank_rows
    try:
        return ScorerConfig.model_validate(changed)
    except ValidationError as error:
        place = "--bank-rows: "
        raise InvalidConfiguration(describe_problems(error, place=lambda path: place)) from error
