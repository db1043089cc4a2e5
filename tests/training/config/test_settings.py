"""Options of a configuration can be set on the command line, and mistakes are named as they were typed."""

from __future__ import annotations

from typing import Any

import pytest

from training.config import load_config
from training.config.settings import FLAGS, parse_value, with_settings
from training.errors import InvalidConfiguration


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("optimisation.epochs=20", "optimisation.epochs", 20),
        ("optimisation.learning_rate=1e-3", "optimisation.learning_rate", 0.001),
        ("optimisation.gradient_clip=null", "optimisation.gradient_clip", None),
        ("network.widths=64,32,16", "network.widths", (64, 32, 16)),
        ("network.widths=64", "network.widths", (64,)),
        ("network.widths=[64, 32]", "network.widths", (64, 32)),
        ("network.widths=auto", "network.widths", "auto"),
        ("network.latent_dim=auto", "network.latent_dim", "auto"),
        ("network.latent_dim=7", "network.latent_dim", 7),
        ("optimisation.passes=auto", "optimisation.passes", "auto"),
        ("optimisation.learning_rate=auto", "optimisation.learning_rate", "auto"),
        ("augmentation.shift=2", "augmentation.shift", 2),
        ("augmentation.flip=true", "augmentation.flip", True),
        ("augmentation.flip=auto", "augmentation.flip", "auto"),
        ("data.validation=auto", "data.validation", "auto"),
        ("data.validation=0.25", "data.validation", 0.25),
        ("data.image_size=64,48", "data.image_size", (64, 48)),
        ("data.value_range=-1,0.5", "data.value_range", (-1.0, 0.5)),
        ("data.label=7", "data.label", "7"),
        ("data.label=null", "data.label", None),
        ("data.label=a=b", "data.label", "a=b"),
        ("preprocessing.log1p=true", "preprocessing.log1p", True),
        ("preprocessing.log1p=income", "preprocessing.log1p", ("income",)),
        ("preprocessing.log1p=income, 2", "preprocessing.log1p", ("income", "2")),
        ("evaluation.noise_kinds=masking,gaussian", "evaluation.noise_kinds", ("masking", "gaussian")),
        ("objective.amount=0.3", "objective.amount", 0.3),
        ("objective.amount=0.1,0.3", "objective.amount", (0.1, 0.3)),
        ("description=Any: text, here", "description", "Any: text, here"),
        ("name=mine", "name", "mine"),
    ],
)
def test_any_option_can_be_set(setting: str, path: str, value: object) -> None:
    config: Any = with_settings(load_config("images-sdae"), [setting], {})
    for name in path.split("."):
        config = getattr(config, name)
    assert config == value
    assert type(config) is type(value)


@pytest.mark.parametrize(
    ("settings", "flags", "message"),
    [
        (["optimisation.epoch=3"], {}, "--set optimisation.epoch=3: there is no option optimisation.epoch; "
         "did you mean optimisation.epochs?"),
        (["epochs=3"], {}, "--set epochs=3: there is no option epochs; did you mean optimisation.epochs?"),
        (["training.epochs=3"], {}, "there is no option training.epochs; did you mean optimisation.epochs?"),
        (["latent_dims=3"], {}, "there is no option latent_dims; did you mean network.latent_dim?"),
        (["data.image-size=8,8"], {}, "there is no option data.image-size; did you mean data.image_size?"),
        (["xyz=3"], {}, "--set xyz=3: there is no option xyz; expected SECTION.OPTION=VALUE, such as "
         "optimisation.epochs=20"),
        (["optimisation.epochs"], {}, "--set optimisation.epochs: expected SECTION.OPTION=VALUE"),
        (["=3"], {}, "--set =3: expected SECTION.OPTION=VALUE"),
        (["network=3"], {}, "--set network=3: there is no option network"),
        (["optimisation.epochs=many"], {}, "--set optimisation.epochs=many: Input should be a valid integer"),
        (["optimisation.epochs=0"], {}, "--set optimisation.epochs=0: Input should be greater than or equal to 1, "
         "or auto"),
        (["network.widths=64,0"], {}, "--set network.widths=64,0: Input should be greater than or equal to 1, "
         "or auto"),
        (["network.widths=automatic"], {}, "--set network.widths=automatic: Input should be a valid integer, unable "
         "to parse string as an integer, or auto"),
        (["augmentation.shift=40"], {}, "--set augmentation.shift=40: Input should be less than or equal to 32, "
         "or auto"),
        (["data.validation=1"], {}, "--set data.validation=1: Input should be less than 1, or auto"),
        (["data.image_size=64"], {}, "--set data.image_size=64: "),
        (["data.value_range=2,1"], {}, "--set data.value_range=2,1: value_range: the first number must be below"),
        (["data.value_range=-1e300,1e300"], {}, "value_range: the numbers must be at most 4.25353e+37 apart"),
        (["network.widths=[64"], {}, "--set network.widths=[64: not YAML"),
        (["objective.beta=2"], {}, "--set objective.beta=2: there is no option objective.beta"),
        ([], {"--epochs": 0}, "--epochs 0: Input should be greater than or equal to 1"),
        ([], {"--seed": -1}, "--seed -1: Input should be greater than or equal to 0"),
        ([], {"--name": "WDBC-ae"}, "--name WDBC-ae: a model's name has 1 to 64 characters, each a lower-case letter, "
         "a digit or one of - _ . and begins with a letter or a digit; did you mean wdbc-ae?"),
        ([], {"--name": "my model/v2"}, "did you mean my-model-v2?"),
        ([], {"--name": "_x"}, "did you mean x?"),
        ([], {"--name": ""}, "begins with a letter or a digit"),
        ([], {"--name": "ÄÖ"}, "begins with a letter or a digit"),
        (["name=Big"], {}, "--set name=Big: a model's name has"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_as_it_was_typed(settings: list[str], flags: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        with_settings(load_config("table-ae"), settings, flags)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_later_settings_and_flags_win() -> None:
    settings = ["optimisation.epochs=3", "optimisation.epochs=4", "optimisation.seed=1"]
    config = with_settings(load_config("table-ae"), settings, {"--seed": 2, "--name": None})
    assert (config.optimisation.epochs, config.optimisation.seed, config.name) == (4, 2, "table-ae")


def test_a_path_takes_the_place_of_a_named_data_set() -> None:
    for settings, flags in ((["data.path=x.npy"], {}), ([], {"--data": "x.npy"})):
        config = with_settings(load_config("digits-ae"), settings, flags)
        assert (config.data.name, config.data.path) == (None, "x.npy")


def test_every_flag_stands_for_an_option() -> None:
    values = {"--kind": "vector", "--epochs": 3, "--seed": 3, "--columns": ["a"], "--drop": ["a"], "--one-hot": ["a"]}
    values |= {"--image-size": [64, 48]}
    values |= {"--missing": "drop", "--separator": ";", "--decimal": ",", "--header": False}
    for flag in FLAGS:
        assert with_settings(load_config("table-ae"), [], {flag: values.get(flag, "mine")})


def test_text_stays_text_where_text_belongs() -> None:
    assert parse_value("1e3", str | None) == "1e3"
    assert parse_value("yes", str) == "yes"
    assert parse_value("", str | None) is None
