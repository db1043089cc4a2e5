"""The modules that are exported convert between the user's units and the network's."""

from __future__ import annotations

import torch

from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import Preprocessing
from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.training_networks import build, image_input
from training.networks.base import Network
from training.networks.build import build_network
from training.networks.denoiser import Denoiser, build_denoiser
from training.networks.likelihoods import Gaussian
from training.networks.user_units import OUTPUT_NAMES, DecoderGraph, DenoiserGraph, EncoderGraph
from training.preprocessing import Preprocessor

IMAGE = ImageInput(shape=(3, 8, 8), value_range=ValueRange(low=0, high=1))


def preprocessing() -> Preprocessor:
    """Return x = (samples - 0.5) / 9 for three channels."""
    record = Preprocessing(log1p=(False,) * 3, low=(None,) * 3, high=(None,) * 3, shift=(0.5,) * 3, scale=(9.0,) * 3)
    return Preprocessor(record, 3)


def test_the_encoder_standardises_samples() -> None:
    network = build_network(bundled_config("digits-vae"), IMAGE)
    samples = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mu, logvar = EncoderGraph(network, preprocessing())(samples)
    assert OUTPUT_NAMES[2] == ("mu", "logvar")
    expected = network.posterior((samples - 0.5) / 9)
    torch.testing.assert_close((mu, logvar), expected)


def test_decoded_samples_are_clipped_to_the_value_range() -> None:
    network = build_network(bundled_config("digits-vae"), IMAGE)
    assert isinstance(network.likelihood, Gaussian)
    latents = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    free, clipped = (DecoderGraph(network, preprocessing(), limits)(latents) for limits in (None, IMAGE.value_range))
    assert free.min() < 0
    assert free.max() > 1
    assert torch.equal(clipped, free.clamp(0, 1))


def test_a_conditional_decoder_takes_every_label_in_turn() -> None:
    config = with_objective(bundled_config("digits-vae"), conditional=True)
    decoder = DecoderGraph(build_network(config, IMAGE, classes=3), preprocessing(), None)
    inputs = decoder.example_inputs(torch.zeros(5, 2))
    assert inputs["labels"].tolist() == [0, 1, 2, 0, 1]
    assert decoder(*inputs.values()).shape == (5, 3, 8, 8)


class ConstantNoise(torch.nn.Module):
    """Predicts noise of 0.1 everywhere, in the network's units."""

    def forward(self, x: torch.Tensor, guide: torch.Tensor) -> torch.Tensor:
        return torch.full_like(x, 0.1)


def denoising(denoiser: Denoiser, samples: ImageInput | VectorInput) -> Network:
    """Return a network with this denoiser."""
    network = build("sdae", samples=samples)
    network.denoiser = denoiser
    return network


def test_without_predicted_noise_samples_come_back_to_the_last_digit() -> None:
    """Even where log1p and its inverse round, and beyond the quantiles that the preprocessing clips to."""
    record = Preprocessing(log1p=(True, False), low=(0.0, -1.0), high=(5.0, 1.0), shift=(1.0, 3e5), scale=(0.3, 7.0))
    samples = torch.tensor([[0.1, 0.3], [1e4, -2.0], [700.3, 123.456]])
    graph = DenoiserGraph(denoising(build_denoiser((2,), ()), VectorInput(shape=(2,))), Preprocessor(record, 1), None)
    assert torch.equal(graph(samples), samples)


def test_predicted_noise_is_removed_in_the_users_units_and_the_answer_clipped() -> None:
    samples = torch.tensor([0.0, 0.5, 0.95, 1.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    graph = DenoiserGraph(
        denoising(Denoiser(ConstantNoise()), image_input(3, 2, 2)), preprocessing(), IMAGE.value_range
    )
    torch.testing.assert_close(graph(samples)[0, 0].flatten(), torch.tensor([0.0, 0.0, 0.05, 0.1]))
