"""The classifier of digits is trained on shifted images, and its weights are averaged."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bench.digit_features import AVERAGE_DECAY, MAX_SHIFT, DigitClassifier, average, fused, shift


def test_images_are_moved_by_at_most_two_pixels_and_nothing_comes_in() -> None:
    images = torch.zeros(200, 1, 28, 28)
    images[:, 0, 10, 20] = 1
    moved = shift(images, torch.Generator().manual_seed(0))
    rows, columns = moved[:, 0].flatten(1).argmax(1) // 28, moved[:, 0].flatten(1).argmax(1) % 28
    assert set((rows - 10).tolist()) == set(range(-MAX_SHIFT, MAX_SHIFT + 1))
    assert set((columns - 20).tolist()) == set(range(-MAX_SHIFT, MAX_SHIFT + 1))
    assert (moved.sum(dim=(1, 2, 3)) == 1).all()


def test_an_average_moves_towards_the_weights() -> None:
    mean, network = nn.Linear(1, 1), nn.Linear(1, 1)
    nn.init.constant_(mean.weight, 0.0)
    nn.init.constant_(network.weight, 1.0)
    average(mean, network)
    np.testing.assert_allclose(mean.weight.item(), 1 - AVERAGE_DECAY, rtol=1e-4)


def test_normalisation_becomes_part_of_the_convolutions() -> None:
    torch.manual_seed(0)
    network, rows = DigitClassifier(), torch.rand(20, 1, 28, 28)
    network(rows)  # which gives the normalisation statistics of its own
    network.eval()
    whole = fused(network)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in whole.modules())
    with torch.no_grad():
        torch.testing.assert_close(whole(rows)[0], network(rows)[0], atol=1e-5, rtol=1e-4)
