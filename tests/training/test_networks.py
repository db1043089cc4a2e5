"""Shapes, seeds, mirrors and noise."""

from __future__ import annotations

import pytest
import torch

from tests.training.conftest import shortened
from training.config import Config, NetworkConfig
from training.corruption import gaussian_noise, relative_noise
from training.networks import StackedDenoisingAutoencoder, build_network

CONV = NetworkConfig(architecture="conv", latent_dim=5, widths=(4, 6), residual_blocks=(1, 0), hidden=8)
DENSE = NetworkConfig(architecture="dense", latent_dim=5, widths=(12, 9))


def config(family: str, network: NetworkConfig) -> Config:
    """A configuration of a family with other layers."""
    return shortened(f"digits-{family}").model_copy(update={"network": network})


@pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
@pytest.mark.parametrize("family", ["ae", "sdae", "vae"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (1, 28, 28)])
def test_every_family_maps_samples_to_latents_and_back(
    family: str, layers: NetworkConfig, shape: tuple[int, int, int]
) -> None:
    network = build_network(config(family, layers), shape)
    x = torch.rand(3, *shape)
    posterior = network.posterior(x)
    assert [tuple(part.shape) for part in posterior] == [(3, 5)] * (2 if family == "vae" else 1)
    assert network.decode(network.encode(x)).shape == x.shape
    terms = network.loss(x, x, beta=1.0, generator=None)
    terms["loss"].backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = build_network(config("ae", DENSE), (1, 8, 8))
    assert torch.equal(torch.rand(1), expected)
    second = build_network(config("ae", DENSE), (1, 8, 8))
    other = build_network(shortened("digits-ae", seed=1).model_copy(update={"network": DENSE}), (1, 8, 8))
    weights = [next(iter(network.parameters())) for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_row_does_not_depend_on_its_batch() -> None:
    network = build_network(config("ae", CONV), (1, 8, 8)).eval()
    x = torch.rand(9, 1, 8, 8)
    torch.testing.assert_close(network.encode(x)[3:4], network.encode(x[3:4]))


def test_a_layer_is_given_a_noisy_code_and_asked_for_the_clean_one_below_it() -> None:
    network = build_network(config("sdae", DENSE), (1, 8, 8))
    assert isinstance(network, StackedDenoisingAutoencoder)
    x = torch.rand(16, 1, 8, 8)
    below = network.stack.down(x, 1)
    layer = network.stack.layer(1)
    clean = network.layer_loss(1, x, x, 0.0, torch.Generator().manual_seed(0))["loss"]
    expected = 0.5 * (layer.up(layer.down(below)) - below).square().sum(1).mean()
    torch.testing.assert_close(clean, expected)
    noisy = network.layer_loss(1, x, x, 2.0, torch.Generator().manual_seed(0))["loss"]
    corrupted = relative_noise(below, 2.0, torch.Generator().manual_seed(0))
    expected = 0.5 * (layer.up(layer.down(corrupted)) - below).square().sum(1).mean()
    torch.testing.assert_close(noisy, expected)
    noisy.backward()
    assert all(weight.grad is not None for weight in layer.parameters())
    assert all(weight.grad is None for weight in network.stack.layer(0).parameters())


def test_gaussian_noise_is_clipped_and_drawn_anew() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.full((2000, 10), 0.5)
    first, second = (gaussian_noise(x, (0.1, 0.1), generator) for _ in range(2))
    assert first.std().item() == pytest.approx(0.1, abs=0.003)
    assert not torch.equal(first, second)
    wild = gaussian_noise(x, (3.0, 3.0), generator)
    assert wild.min() == 0
    assert wild.max() == 1


def test_the_noise_level_is_drawn_from_its_interval_for_each_sample() -> None:
    x = torch.full((500, 1000), 0.5)
    levels = gaussian_noise(x, (0.0, 0.1), torch.Generator().manual_seed(0)).std(dim=1)
    assert levels.min() < 0.01
    assert levels.max() > 0.09
    assert levels.mean().item() == pytest.approx(0.05, abs=0.005)


def test_noise_on_a_code_is_relative_to_its_spread() -> None:
    code = 100 * torch.randn(100, 100, generator=torch.Generator().manual_seed(0))
    noisy = relative_noise(code, 0.3, torch.Generator().manual_seed(1))
    assert (noisy - code).std().item() == pytest.approx(30, rel=0.03)
