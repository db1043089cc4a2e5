"""The device of a process, and the weights of a network on it: their order in memory, and which are trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from training.errors import RunError
from training.fitting.ranks import local_rank, local_world
from training.networks.base import Network


def choose_device(accelerator: str) -> torch.device:
    """Return the device that holds this process's data: its own GPU, or the CPU."""
    if accelerator == "cpu" or not torch.cuda.is_available():
        if accelerator == "gpu":
            raise RunError("there is no GPU here that torch can use; --accelerator auto uses the CPU then")
        return torch.device("cpu")
    if local_world() > torch.cuda.device_count():
        raise RunError(f"expected a GPU for each process, found {torch.cuda.device_count()} for {local_world()}")
    return torch.device("cuda", local_rank())


def train_only(network: Network, weights: Iterable[nn.Parameter]) -> None:
    """Freeze all other weights: DDP waits for the gradient of every weight that is not frozen."""
    network.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)


def order_weights(network: Network, memory_format: torch.memory_format) -> None:
    """Store the weights of the convolutions in a memory format."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=memory_format)
