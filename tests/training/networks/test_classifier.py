"""The classifier is a softmax layer on the activations of the latents."""

from __future__ import annotations

import math

import pytest
import torch

from training.networks.classifier import Classifier


def test_the_loss_and_the_error_are_those_of_the_likeliest_class() -> None:
    classifier = Classifier(2, 2, weight=1.0)
    with torch.no_grad():
        classifier.layer.weight.copy_(torch.eye(2))
        classifier.layer.bias.zero_()
    z = torch.tensor([[5.0, 0.0], [0.0, 5.0]])
    active = 5 / (1 + math.exp(-5))
    torch.testing.assert_close(classifier(z), torch.tensor([[active, 0.0], [0.0, active]]))
    terms = classifier.loss(z, torch.tensor([0, 0]))
    assert terms["error"].item() == 0.5
    right = math.log1p(math.exp(-active))
    assert terms["cross_entropy"].item() == pytest.approx((right + right + active) / 2, rel=1e-5)
