"""Networks encode and decode rows one by one, and a conditional decoder depends on labels."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.training_networks import CONV, DENSE, build
from training.config import NetworkConfig
from training.fitting.draws import Draws
from training.networks.base import Example


def test_a_row_does_not_depend_on_its_batch() -> None:
    network = build("ae", CONV).eval()
    x = torch.rand(9, 1, 8, 8)
    torch.testing.assert_close(network.encode(x)[3:4], network.encode(x[3:4]))


def test_the_reconstruction_is_the_likelihoods_mean_at_the_latents() -> None:
    network = build("ae")
    x = torch.rand(3, 1, 8, 8)
    expected = torch.sigmoid(network.stack.up(network.stack.down(x)))
    torch.testing.assert_close(network.reconstruct(x), expected)


def test_a_label_is_appended_to_the_latents_as_one_hot() -> None:
    network = build("vae", classes=3, conditional=True)
    z = torch.rand(2, 5)
    tail = torch.cat([z, torch.tensor([[0.0, 1, 0], [0, 0, 1]])], dim=1)
    assert torch.equal(network.decode(z, torch.tensor([1, 2])), network.stack.up(tail))


@pytest.mark.parametrize("layers", [CONV, DENSE], ids=["conv", "dense"])
def test_the_decoder_depends_on_the_labels_and_the_encoder_does_not(layers: NetworkConfig) -> None:
    network = build("vae", layers, classes=3, conditional=True)
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
