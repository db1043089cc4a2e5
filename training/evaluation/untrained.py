"""The network of a configuration before training: the reference that training must improve on."""

from __future__ import annotations

from typing import Literal

import torch

from app.arrays import Array, Samples
from training.config import Config
from training.data.dataset import DataSet
from training.evaluation.subject import Untrained
from training.networks.build import build_network
from training.networks.user_units import DecoderGraph, EncoderGraph
from training.preprocessing import Preprocessor

MAX_BATCH_ROWS = 512


def untrained(config: Config, data: DataSet, preprocessing: Preprocessor) -> Untrained:
    """
    Return a function of a task and samples in the user's units; it returns latents, or samples in these units.

    The decoder of a conditional network gets the first label for every row.
    """
    network = build_network(config, data.input, len(data.classes)).eval()
    encoder = EncoderGraph(network, preprocessing)
    decoder = DecoderGraph(network, preprocessing, data.input.value_range)

    def run(task: Literal["encode", "reconstruct"], samples: Samples) -> Array:
        outputs = []
        for rows in torch.split(torch.from_numpy(samples), MAX_BATCH_ROWS):
            with torch.no_grad():
                latents = encoder(rows)[0]
                labels = torch.zeros(len(rows), dtype=torch.int64) if network.classes else None
                outputs.append(latents if task == "encode" else decoder(latents, labels))
        return torch.cat(outputs).numpy()

    return run
