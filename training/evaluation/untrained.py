"""The network of a configuration before its first step: what training must have improved on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from training.config import Config
from training.data import DataSet
from training.exporting.graphs import DecoderGraph, EncoderGraph
from training.networks import build_network
from training.preprocessing import Preprocessing

Array = npt.NDArray[np.float32]

ROWS = 512


def untrained(
    config: Config, data: DataSet, preprocessing: Preprocessing
) -> Callable[[Literal["encode", "reconstruct"], Array], Array]:
    """
    A function of a task and samples in the user's units that gives latents or samples, as the service would.

    A conditional network is told its first label.
    """
    network = build_network(config, data.input, len(data.classes)).eval()
    encoder = EncoderGraph(network, preprocessing)
    decoder = DecoderGraph(network, preprocessing, data.input.value_range)

    def answer(task: Literal["encode", "reconstruct"], samples: Array) -> Array:
        parts = []
        for rows in torch.split(torch.from_numpy(samples), ROWS):
            with torch.no_grad():
                latents = encoder(rows)[0]
                labels = torch.zeros(len(rows), dtype=torch.int64) if network.classes else None
                parts.append(latents if task == "encode" else decoder(latents, labels))
        return torch.cat(parts).numpy()

    return answer
