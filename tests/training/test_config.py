"""Configurations: what is bundled is valid, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from training.config import BUNDLED, Config, bundled_configs, load_config
from training.errors import InvalidConfiguration

MODELS = ["mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"]


@pytest.mark.parametrize("name", bundled_configs())
def test_bundled_configurations_are_valid_and_named_as_their_files(name: str) -> None:
    assert load_config(name).name == name
    assert load_config(str(BUNDLED / f"{name}.yaml")).name == name


def test_the_four_models_are_among_them() -> None:
    assert set(MODELS) <= set(bundled_configs())
    assert load_config("mnist-ae").network.latent_dim == 32
    assert load_config("mnist-vae-2d").network.latent_dim == 2


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"nmae": "x"}, "nmae: Extra inputs"),
        ({"network": {"architecture": "conv", "latent_dim": 0, "widths": [4]}}, "network.latent_dim"),
        ({"network": {"architecture": "conv", "latent_dim": 2, "widths": []}}, "network.widths"),
        (
            {"network": {"architecture": "conv", "latent_dim": 2, "widths": [4], "residual_blocks": [1, 1]}},
            "expected 1, one a width",
        ),
        (
            {"network": {"architecture": "dense", "latent_dim": 2, "widths": [4], "residual_blocks": [1]}},
            "belong to the architecture 'conv'",
        ),
        ({"objective": {"family": "gan"}}, "objective"),
        (
            {"objective": {"family": "denoising-autoencoder", "amount": [0.5, 0.1], "pretraining_epochs": 1}},
            "must not exceed",
        ),
        ({"objective": {"family": "variational-autoencoder", "beta": -1}}, "beta"),
        ({"optimisation": {"epochs": 1, "seed": -1}}, "optimisation.seed"),
        ({"data": {"name": "cifar"}}, "data.name"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    document = load_config("digits-ae").model_dump(mode="json")
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**document, **change}))
    with pytest.raises(InvalidConfiguration) as caught:
        load_config(str(path))
    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "!!python/object/apply:os.system ['true']"])
def test_what_is_no_configuration_at_all(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration):
        load_config(str(path))


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidConfiguration, match=r"bundled: .*mnist-ae"):
        load_config("nothing")


def test_a_configuration_survives_the_manifest() -> None:
    config = load_config("mnist-sdae")
    assert Config.model_validate(config.model_dump(mode="json")) == config
