"""Problems name the option that was meant."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.config import Config, load_config
from training.config.problems import describe_problems, did_you_mean, known_options

DOCUMENT = load_config("digits-vae").model_dump()


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        (
            "optimisation",
            {"epoch": 3},
            "optimisation.epoch: there is no such option; did you mean optimisation.epochs?",
        ),
        ("objective", {"betta": 3}, "objective.betta: there is no such option; did you mean objective.beta?"),
        ("objective", {"beta": -1}, "objective.beta: Input should be greater than or equal to 0"),
        ("optimisation", {"epochs": 0}, "optimisation.epochs: Input should be greater than or equal to 1, or auto"),
        (
            "augmentation",
            {"flip": "maybe"},
            "augmentation.flip: Input should be a valid boolean, unable to interpret input, or auto",
        ),
        ("network", {"widths": [4, 0]}, "network.widths.1: Input should be greater than or equal to 1, or auto"),
        (
            "optimisation",
            {"epochs": 0, "seed": -1},
            "optimisation.epochs: Input should be greater than or equal to 1, "
            "or auto; optimisation.seed: Input should be greater than or equal to 0",
        ),
        ("data", {"path": "x"}, "data: name and path exclude each other"),
        ("data", {"qqqqqq": 1}, "data.qqqqqq: there is no such option"),
    ],
)
def test_problems_of_a_file_are_named_by_option(section: str, change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({**DOCUMENT, section: {**DOCUMENT[section], **change}})
    assert describe_problems(caught.value, known_options(Config, DOCUMENT)) == message


def test_options_of_the_objective_are_those_of_the_family() -> None:
    assert "objective.beta" in known_options(Config, DOCUMENT)
    assert "objective.amount" not in known_options(Config, DOCUMENT)
    assert {"name", "data.label", "optimisation.epochs"} <= set(known_options(Config, {}))


def test_a_name_in_two_sections_is_proposed_for_both() -> None:
    assert did_you_mean("kind", ["data.kind", "network.kind", "name"]) == "; did you mean data.kind or network.kind?"
    assert did_you_mean("zzz", ["data.kind"]) == ""
