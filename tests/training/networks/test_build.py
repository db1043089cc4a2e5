"""Every family is built for images and tables; the seed decides the weights."""

from __future__ import annotations

import pytest
import torch

from app.inputs import VectorInput
from tests.helpers.training_networks import CONV, DENSE, FAMILIES, build, example, image_input, network_config
from training.config import NetworkConfig
from training.errors import InvalidConfiguration
from training.fitting.draws import Draws
from training.networks.build import build_network


@pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (1, 28, 28), (3, 64, 64), (1, 256, 31)])
def test_every_family_maps_samples_to_latents_and_back(
    family: str, layers: NetworkConfig, shape: tuple[int, int, int]
) -> None:
    network = build(family, layers, image_input(*shape))
    x = torch.rand(3, *shape)
    posterior = network.posterior(x)
    assert [tuple(part.shape) for part in posterior] == [(3, 5)] * (2 if family == "vae" else 1)
    assert network.decode(network.encode(x)).shape == x.shape
    terms = network.loss(example(x), Draws(0))
    terms["loss"].backward()
    assert all(weight.grad is not None for weight in network.pair_parameters())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("features", [2, 30, 3000])
def test_every_family_takes_tables(family: str, features: int) -> None:
    network = build(family, DENSE, VectorInput(shape=(features,)))
    x = torch.randn(3, features)
    assert network.reconstruct(x).shape == x.shape
    network.loss(example(x), Draws(0))["loss"].backward()
    assert all(weight.grad is not None for weight in network.pair_parameters())


def test_a_seed_gives_the_same_weights_and_does_not_touch_the_global_generator() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    config = network_config("ae", DENSE)
    first = build_network(config, image_input(1, 8, 8))
    assert torch.equal(torch.rand(1), expected)
    second = build_network(config, image_input(1, 8, 8))
    reseeded = config.model_copy(update={"optimisation": config.optimisation.model_copy(update={"seed": 1})})
    other = build_network(reseeded, image_input(1, 8, 8))
    weights = [next(iter(network.parameters())) for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_conditional_network_without_labels_is_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="the data have no labels, or only one"):
        build("vae", classes=1, conditional=True)


def test_only_a_conditional_network_uses_the_classes() -> None:
    assert build("vae", classes=3).classes == 0
    assert build("vae", classes=3, conditional=True).classes == 3


def test_only_a_denoising_network_has_a_denoiser_and_the_option_removes_it() -> None:
    assert [build(family).denoiser is not None for family in FAMILIES] == [False, True, False]
    without, with_one = build("sdae", denoiser=False), build("sdae")
    assert without.denoiser is None
    assert all(map(torch.equal, without.parameters(), with_one.pair_parameters()))
