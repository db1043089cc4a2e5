"""Configurations are read from files, and errors name the file and the option."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from training.config import BUNDLED, Config, bundled_configs, load_config, with_later_sections
from training.errors import InvalidConfiguration

MODELS = ["mnist-ae", "mnist-ae-2d", "mnist-sdae", "mnist-sdae-labels", "mnist-vae", "mnist-vae-2d"]


@pytest.mark.parametrize("name", bundled_configs())
def test_bundled_configurations_are_valid_and_have_the_names_of_their_files(name: str) -> None:
    assert load_config(name).name == name
    assert load_config(str(BUNDLED / f"{name}.yaml")).name == name


def test_the_bundled_models_have_bundled_configurations() -> None:
    assert set(MODELS) <= set(bundled_configs())
    assert load_config("mnist-ae").network.latent_dim == 32
    assert load_config("mnist-vae-2d").network.latent_dim == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nmae": "x"}, "nmae: there is no such option; did you mean name or data.name?"),
        ({"objective": {"family": "gan"}}, "objective"),
        ({"optimisation": {"epochs": 1, "seed": -1}}, "optimisation.seed"),
    ],
)
def test_errors_name_the_file_and_the_option(tmp_path: Path, change: dict[str, object], message: str) -> None:
    document = load_config("digits-ae").model_dump(mode="json")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**document, **change}))
    with pytest.raises(InvalidConfiguration) as caught:
        load_config(str(path))
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "!!python/object/apply:os.system ['true']"])
def test_files_that_are_not_configurations_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration):
        load_config(str(path))


def test_the_error_for_an_unknown_name_lists_the_bundled_ones() -> None:
    with pytest.raises(InvalidConfiguration, match=r"bundled: .*mnist-ae"):
        load_config("nothing")


def test_a_configuration_survives_the_manifest() -> None:
    config = load_config("mnist-sdae")
    assert Config.model_validate(config.model_dump(mode="json")) == config


def test_a_stored_configuration_from_before_scorers_has_none(tmp_path: Path) -> None:
    document = load_config("digits-ae").model_dump(mode="json")
    assert document.pop("scorer")["kind"] == "auto"
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    assert load_config(str(path)).scorer.kind == "auto"
    assert load_config(str(path), is_stored=True).scorer.kind == "none"
    assert with_later_sections({"scorer": {"kind": "auto"}}) == {"scorer": {"kind": "auto"}}


def test_only_configurations_whose_decoder_takes_labels_are_conditional() -> None:
    config = load_config("digits-vae")
    assert not config.is_conditional
    assert config.model_copy(
        update={"objective": config.objective.model_copy(update={"conditional": True})}
    ).is_conditional
    assert not load_config("digits-ae").is_conditional
