"""Only the named weights are trained, images' convolutions are stored as asked, and a missing GPU is an error."""

from __future__ import annotations

import pytest
import torch

from tests.helpers.training_networks import CONV, build, image_input
from training.errors import RunError
from training.fitting.devices import choose_device, order_weights, train_only


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_cpu_is_used_or_the_gpu_refused() -> None:
    assert choose_device("auto").type == choose_device("cpu").type == "cpu"
    with pytest.raises(RunError, match="--accelerator auto uses the CPU then"):
        choose_device("gpu")


def test_all_other_weights_are_frozen() -> None:
    network = build("ae", CONV, image_input(1, 8, 8))
    trained = list(network.stack.layer(0).parameters())
    train_only(network, trained)
    assert {id(weight) for weight in network.parameters() if weight.requires_grad} == set(map(id, trained))


def test_the_order_of_weights_in_memory_changes_no_value() -> None:
    network = build("ae", CONV, image_input(1, 8, 8))
    before = [weight.clone() for weight in network.parameters()]
    order_weights(network, torch.channels_last)
    weights = list(network.parameters())
    kernels = [weight for weight in weights if weight.ndim == 4 and min(weight.shape) > 1]
    assert kernels
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in kernels)
    assert all(torch.equal(old, new) for old, new in zip(before, weights, strict=True))
