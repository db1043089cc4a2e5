"""Each layer learns to restore its own clean input."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.training_networks import build
from training.errors import InvalidConfiguration
from training.fitting.corruption import relative_noise
from training.fitting.draws import Draws
from training.networks.base import Example
from training.networks.stacked_denoising import StackedDenoisingAutoencoder


def test_the_outermost_layer_restores_the_clean_samples() -> None:
    network = build("sdae")
    assert isinstance(network, StackedDenoisingAutoencoder)
    x, noisy = torch.rand(2, 4, 1, 8, 8)
    layer = network.stack.layer(0)
    logits = layer.up(layer.down(noisy))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)
    torch.testing.assert_close(network.layer_loss(0, x, noisy, 0.3, Draws(0))["loss"], expected.mean())


def test_an_inner_layer_restores_its_clean_input_from_a_noisy_one() -> None:
    network = build("sdae")
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


def test_labels_add_their_weighted_cross_entropy() -> None:
    plain, labelled = build("sdae"), build("sdae", classes=3, label_weight=2.0)
    assert isinstance(labelled, StackedDenoisingAutoencoder)
    assert labelled.classifier is not None
    x, labels = torch.rand(6, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    terms = labelled.loss(Example(x, x, labels), Draws(0))
    logits = labelled.classifier(labelled.encode(x))
    torch.testing.assert_close(terms["cross_entropy"], torch.nn.functional.cross_entropy(logits, labels))
    assert terms["error"].item() == pytest.approx((logits.argmax(1) != labels).sum().item() / 6)
    without = plain.loss(Example(x, x, labels), Draws(0))["loss"]
    torch.testing.assert_close(terms["loss"], without + 2.0 * terms["cross_entropy"])
    assert (plain.criterion, labelled.criterion) == ("loss", "loss")


def test_labels_decide_the_criterion_where_the_likelihood_is_a_gaussian() -> None:
    plain, labelled = (build("sdae", classes=3, likelihood="gaussian", label_weight=weight) for weight in (0.0, 2.0))
    assert (plain.criterion, labelled.criterion) == ("mse", "loss")


def test_labels_that_are_missing_are_refused() -> None:
    with pytest.raises(InvalidConfiguration, match=r"objective\.label_weight: the data have no labels, or only one"):
        build("sdae", classes=1, label_weight=2.0)
