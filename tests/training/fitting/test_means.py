"""The means of an epoch weigh each row the same, whatever the sizes of the batches."""

from __future__ import annotations

import weakref

import pytest
import torch

from training.fitting.means import EpochMeans


def test_means_are_weighted_by_rows() -> None:
    means = EpochMeans()
    means.add("train", {"loss": torch.tensor(1.0)}, 3)
    means.add("train", {"loss": torch.tensor(5.0)}, 1)
    means.add("validation", {"loss": torch.tensor(9.0)}, 2)
    assert means.of("train") == {"train/loss": 2.0}
    assert means.of("validation") == {"validation/loss": 9.0}
    means.clear()
    means.add("train", {"loss": torch.tensor(7.0)}, 1)
    assert means.of("train") == {"train/loss": 7.0}


def test_each_term_has_a_mean_of_its_own() -> None:
    means = EpochMeans()
    means.add("train", {"loss": torch.tensor(1.0), "kl": torch.tensor(0.25)}, 2)
    means.add("train", {"loss": torch.tensor(4.0), "kl": torch.tensor(0.0)}, 1)
    assert means.of("train") == pytest.approx({"train/loss": 2.0, "train/kl": 0.5 / 3})


def test_means_keep_the_digits_of_many_batches() -> None:
    """A sum in single precision would stop growing: 2^24 + 1 is no single number."""
    means = EpochMeans()
    means.add("train", {"loss": torch.tensor(1.0)}, 2**24)
    for _ in range(8):
        means.add("train", {"loss": torch.tensor(9.0)}, 1)
    assert means.of("train")["train/loss"] - 1 == pytest.approx(64 / (2**24 + 8), rel=1e-3)


def test_means_hold_no_graph() -> None:
    """A graph that is held for an epoch would hold the activations of every step."""

    class Saved:
        """A tensor that a graph holds for its backward pass."""

        def __init__(self, tensor: torch.Tensor) -> None:
            self.tensor = tensor
            references.append(weakref.ref(self))

    references: list[weakref.ref[Saved]] = []
    weight, means = torch.ones(3, requires_grad=True), EpochMeans()
    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        means.add("train", {"loss": weight.square().sum()}, 1)
    assert references
    assert [reference() for reference in references] == [None] * len(references)
    assert means.of("train") == {"train/loss": 3.0}
