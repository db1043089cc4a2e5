"""Networks of every family and shape are built from a configuration, a seed and the shape of the samples."""

from __future__ import annotations

import pytest
import torch

from app.manifest import ImageInput, ValueRange, VectorInput
from tests.helpers.configurations import bundled_config, with_objective
from training.config import Config, NetworkConfig
from training.errors import InvalidConfiguration
from training.fitting.corruption import relative_noise
from training.fitting.draws import Draws
from training.networks import Example, Network, StackedDenoisingAutoencoder, build_network

CONV = NetworkConfig(architecture="conv", latent_dim=5, widths=(4, 6), residual_blocks=(1, 0), hidden=8)
DENSE = NetworkConfig(architecture="dense", latent_dim=5, widths=(12, 9))


def config(family: str, network: NetworkConfig) -> Config:
    """Return a configuration of a family with these layers."""
    return bundled_config(f"digits-{family}").model_copy(update={"network": network})


def image(*shape: int) -> ImageInput:
    """Return the specification of images in [0, 1]."""
    channels, height, width = shape
    return ImageInput(shape=(channels, height, width), value_range=ValueRange(low=0, high=1))


def example(x: torch.Tensor) -> Example:
    """Return x as its own target, without labels."""
    return Example(x, x, torch.zeros(len(x), dtype=torch.int64))


@pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
@pytest.mark.parametrize("family", ["ae", "sdae", "vae"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 14), (1, 28, 28), (3, 64, 64), (1, 256, 31)])
def test_every_family_maps_samples_to_latents_and_back(
    family: str, layers: NetworkConfig, shape: tuple[int, int, int]
) -> None:
    network = build_network(config(family, layers), image(*shape))
    x = torch.rand(3, *shape)
    posterior = network.posterior(x)
    assert [tuple(part.shape) for part in posterior] == [(3, 5)] * (2 if family == "vae" else 1)
    assert network.decode(network.encode(x)).shape == x.shape
    terms = network.loss(example(x), Draws(0))
    terms["loss"].backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_the_seed_decides_the_weights_and_the_global_generator_is_untouched() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = build_network(config("ae", DENSE), image(1, 8, 8))
    assert torch.equal(torch.rand(1), expected)
    second = build_network(config("ae", DENSE), image(1, 8, 8))
    other = build_network(bundled_config("digits-ae", seed=1).model_copy(update={"network": DENSE}), image(1, 8, 8))
    weights = [next(iter(network.parameters())) for network in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_row_does_not_depend_on_its_batch() -> None:
    network = build_network(config("ae", CONV), image(1, 8, 8)).eval()
    x = torch.rand(9, 1, 8, 8)
    torch.testing.assert_close(network.encode(x)[3:4], network.encode(x[3:4]))


def test_a_layer_restores_its_clean_input_from_a_noisy_one() -> None:
    network = build_network(config("sdae", DENSE), image(1, 8, 8))
    assert isinstance(network, StackedDenoisingAutoencoder)
    x = torch.rand(16, 1, 8, 8)
    below = network.stack.down(x, 1)
    layer = network.stack.layer(1)
    clean = network.layer_loss(1, x, x, 0.0, Draws(0))["loss"]
    expected = 0.5 * (layer.up(layer.down(below)) - below).square().sum(1).mean()
    torch.testing.assert_close(clean, expected)
    noisy = network.layer_loss(1, x, x, 2.0, Draws(0))["loss"]
    corrupted = relative_noise(below, 2.0, Draws(0))
    expected = 0.5 * (layer.up(layer.down(corrupted)) - below).square().sum(1).mean()
    torch.testing.assert_close(noisy, expected)
    noisy.backward()
    assert all(weight.grad is not None for weight in layer.parameters())
    assert all(weight.grad is None for weight in network.stack.layer(0).parameters())


@pytest.mark.parametrize("family", ["ae", "sdae", "vae"])
@pytest.mark.parametrize("features", [2, 30, 3000])
def test_every_family_accepts_tables(family: str, features: int) -> None:
    network = build_network(config(family, DENSE), VectorInput(shape=(features,)))
    x = torch.randn(3, features)
    assert network.reconstruct(x).shape == x.shape
    network.loss(example(x), Draws(0))["loss"].backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_convolutions_of_a_table_are_refused() -> None:
    with pytest.raises(InvalidConfiguration, match="conv is for images; vectors want dense"):
        build_network(config("ae", CONV), VectorInput(shape=(30,)))


def conditional(layers: NetworkConfig) -> Network:
    """Return a variational autoencoder whose decoder takes one of three labels."""
    return build_network(with_objective(config("vae", layers), conditional=True), image(1, 8, 8), classes=3)


@pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
def test_a_conditional_decoder_uses_the_labels_and_the_encoder_does_not(layers: NetworkConfig) -> None:
    network = conditional(layers)
    z = torch.zeros(3, 5)
    decoded = network.decode(z, torch.tensor([0, 1, 2])).flatten(1)
    assert not torch.allclose(decoded[0], decoded[1])
    assert not torch.allclose(decoded[1], decoded[2])
    x = torch.rand(4, 1, 8, 8)
    labels = torch.tensor([0, 1, 2, 0])
    first = network.loss(Example(x, x, labels), Draws(0))
    other = network.loss(Example(x, x, labels.flip(0)), Draws(0))
    assert first["kl"].item() == other["kl"].item()
    assert first["reconstruction"].item() != other["reconstruction"].item()


def test_a_conditional_network_without_labels_is_refused() -> None:
    conditional_config = with_objective(config("vae", DENSE), conditional=True)
    with pytest.raises(InvalidConfiguration, match="the data have no labels, or only one"):
        build_network(conditional_config, image(1, 8, 8), classes=1)


def test_a_posterior_is_never_too_narrow_or_wide_for_float32() -> None:
    network = build_network(config("vae", DENSE), VectorInput(shape=(4,)))
    mu, logvar = network.posterior(1e6 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0)))
    assert logvar.abs().max().item() == 12.0
    assert torch.isfinite((0.5 * logvar).exp() + mu).all()


def test_the_bound_is_computed_at_a_sample_of_the_posterior() -> None:
    """At the posterior's mean, the reconstruction term would be lower, and not part of a bound."""
    network = build_network(config("vae", DENSE), image(1, 8, 8))
    x = torch.rand(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    first, second = (network.loss(example(x), Draws(seed)) for seed in (0, 1))
    assert first["reconstruction"].item() != second["reconstruction"].item()
    assert first["kl"].item() == second["kl"].item()
    assert torch.equal(network.encode(x), network.encode(x))
