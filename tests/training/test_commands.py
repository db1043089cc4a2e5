"""Options of the command line override those of a configuration."""

from __future__ import annotations

import argparse
import time

import pytest

from training.commands import MIN_MINUTES, evaluation_options, minutes_of_training, override
from training.config import load_config
from training.errors import InvalidConfiguration

UNSET: dict[str, object] = {"set": None, "effort": None}
UNSET_EVALUATION = {"importance_samples": None, "noise_kinds": None, "noise_amounts": None}


def test_options_that_are_not_given_change_nothing() -> None:
    config = load_config("digits-vae")
    assert override(config, argparse.Namespace(**UNSET)) == config
    assert evaluation_options(config, argparse.Namespace(**UNSET_EVALUATION)) == config.evaluation


def test_given_options_replace_the_configurations() -> None:
    options = {"data": "people.csv", "label": "outcome", "name": "people", "epochs": 3, "seed": 11}
    config = override(load_config("table-vae"), argparse.Namespace(**(UNSET | options)))
    assert (config.data.name, config.data.path, config.data.label) == (None, "people.csv", "outcome")
    assert (config.name, config.optimisation.epochs, config.optimisation.seed) == ("people", 3, 11)


def test_the_size_and_the_background_of_images_are_options() -> None:
    options = {"image_size": [48, 32], "background": "white"}
    config = override(load_config("images-ae"), argparse.Namespace(**(UNSET | options)))
    assert (config.data.image_size, config.data.background) == ((48, 32), "white")


def test_options_of_evaluate_replace_the_configurations() -> None:
    options = {"importance_samples": 7, "noise_kinds": ["masking"], "noise_amounts": [0.25]}
    chosen = evaluation_options(load_config("digits-vae"), argparse.Namespace(**options))
    assert (chosen.importance_samples, list(chosen.noise_kinds), list(chosen.noise_amounts)) == (7, ["masking"], [0.25])


def test_evaluate_needs_no_configuration() -> None:
    options = UNSET_EVALUATION | {"importance_samples": 5}
    assert evaluation_options(None, argparse.Namespace(**options)).importance_samples == 5


def test_invalid_options_of_evaluate_name_the_option() -> None:
    options = UNSET_EVALUATION | {"importance_samples": -1}
    with pytest.raises(InvalidConfiguration, match=r"^--importance-samples: Input should be greater"):
        evaluation_options(None, argparse.Namespace(**options))


def test_reading_and_the_export_count_as_minutes_of_the_command() -> None:
    now = time.monotonic()
    assert minutes_of_training(None, now, exports=True) is None
    assert minutes_of_training(10.0, now - 120, exports=True) == pytest.approx(7.0, abs=0.01)
    assert minutes_of_training(10.0, now - 120, exports=False) == pytest.approx(8.0, abs=0.01)
    assert minutes_of_training(1.0, now - 120, exports=True) == MIN_MINUTES
