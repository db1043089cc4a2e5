"""The autoencoder's loss is the target's negative log-likelihood, plus a penalty on the latents."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.helpers.training_networks import build, example
from training.fitting.draws import Draws
from training.networks.objectives import neighbour_nll


def test_the_loss_is_the_cross_entropy_of_the_target() -> None:
    network = build("ae")
    x, target = torch.rand(2, 4, 1, 8, 8)
    terms = network.loss(example(x, target), Draws(0))
    p = network.reconstruct(x)
    expected = torch.nn.functional.binary_cross_entropy(p, target, reduction="none").flatten(1).sum(1).mean()
    assert terms.keys() == {"loss"}
    torch.testing.assert_close(terms["loss"], expected)


def test_sparsity_adds_the_weighted_l1_norm_of_the_latents() -> None:
    dense, sparse = build("ae"), build("ae", sparsity=0.5)
    x = torch.rand(4, 1, 8, 8)
    terms = sparse.loss(example(x), Draws(0))
    penalty = 0.5 * sparse.encode(x).abs().sum(1).mean()
    torch.testing.assert_close(terms["penalty"], penalty)
    torch.testing.assert_close(terms["reconstruction"], dense.loss(example(x), Draws(0))["loss"])
    torch.testing.assert_close(terms["loss"], terms["reconstruction"] + penalty)


def test_pairs_of_neighbours_add_their_weighted_loss() -> None:
    network = build("ae", neighbours=3.0)
    x = torch.rand(6, 1, 8, 8)
    alone, paired = network.loss(example(x), Draws(0)), network.loss(replace(example(x), paired=True), Draws(0))
    expected = neighbour_nll(network.encode(x)).mean()
    assert alone.keys() == {"loss"}
    torch.testing.assert_close(paired["neighbours"], expected)
    torch.testing.assert_close(paired["loss"], alone["loss"] + 3.0 * expected)
