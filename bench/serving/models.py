"""
Two small models with seeded, untrained weights, as versions that the server accepts, each with a workload.

    .venv/bin/python -m bench.serving.models DIR

writes three model repositories: `DIR/dense` with `bench-dense`, `DIR/conv` with `bench-conv`, and `DIR/bundled`, a copy
of the bundled models. Each version has `workload.npz` beside its graphs: the inputs of every load, and onnxruntime's
own answers. The values of its weights do not affect the speed of a model.
"""

from __future__ import annotations

import argparse
import io
import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.inputs import ImageInput, ValueRange
from app.manifest import DECODER, ENCODER, FAMILY_TASKS, GOLDEN, FileDigest, Manifest
from app.priors import DeterministicLatent
from bench.serving.loads import BATCH_ROWS, MODEL_NAMES, WORKLOAD_FILE
from training.config import AutoencoderObjective, Config, NetworkConfig, OptimisationConfig
from training.data.dataset import DataSet, Split
from training.exporting.export import write_golden
from training.exporting.graphs import PARITY_BATCHES, write_graphs
from training.networks.base import Network
from training.networks.build import build_network
from training.networks.user_units import DecoderGraph, EncoderGraph
from training.preprocessing import fit_preprocessing

Array = npt.NDArray[np.float32]

NETWORKS = {
    "dense": NetworkConfig(architecture="dense", latent_dim=32, widths=(512, 128)),
    "conv": NetworkConfig(architecture="conv", latent_dim=32, widths=(32, 64), residual_blocks=(0, 1), hidden=256),
}
ROOT = Path(__file__).parents[2]
INPUT = ImageInput(shape=(1, 28, 28), value_range=ValueRange(low=0, high=1))


def main() -> int:
    """Write the models and print their folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="target folder; a repository that exists already is kept")
    options = parser.parse_args()
    logging.getLogger("torch").setLevel(logging.ERROR)
    for kind in MODEL_NAMES:
        repository: Path = options.folder / kind
        if not repository.exists():
            write_repository(kind, repository)
        sys.stdout.write(f"{repository}\n")
    return 0


def write_repository(kind: str, repository: Path) -> None:
    """Write the models of one kind, each with its workload."""
    if kind == "bundled":
        shutil.copytree(ROOT / "models", repository)
    for name in MODEL_NAMES[kind]:
        folder = repository / name / "1"
        if kind in NETWORKS:
            write_model(name, folder, NETWORKS[kind])
        np.savez(folder / WORKLOAD_FILE, **workload(load_version(folder, name, 1)))  # type: ignore[arg-type]


def write_model(name: str, folder: Path, network_config: NetworkConfig) -> None:
    """Write one version: graphs that were compared with torch, golden samples, manifest."""
    config = Config(
        name=name,
        description="Untrained, for the benchmark.",
        network=network_config,
        objective=AutoencoderObjective(family="autoencoder"),
        optimisation=OptimisationConfig(epochs=1, seed=0),
    )
    images = np.random.default_rng(0).integers(0, 256, (max(PARITY_BATCHES), *INPUT.shape), np.uint8)
    split = Split(images, None, 1 / 255)
    data = DataSet("noise", INPUT, (), split, split, split)
    preprocessing = fit_preprocessing(config, data)
    network = with_contrast(build_network(config, INPUT)).eval()
    encoder = EncoderGraph(network, preprocessing)
    decoder = DecoderGraph(network, preprocessing, INPUT.value_range)
    folder.mkdir(parents=True)
    parity = write_graphs(encoder, decoder, folder, split.in_users_units())
    write_golden(encoder, decoder, INPUT, folder)
    Manifest(
        name=name,
        version=1,
        description=config.description,
        family="autoencoder",
        tasks=FAMILY_TASKS["autoencoder"],
        input=INPUT,
        latent=DeterministicLatent(dimension=config.network.latent_dim),
        preprocessing=preprocessing.record,
        files={file: FileDigest.of(folder / file) for file in (ENCODER, DECODER, GOLDEN)},
        parity=parity,
    ).write(folder)


def with_contrast(network: Network) -> Network:
    """Give a network weights that keep a sample's variance from layer to layer, so that wrong answers look wrong."""
    generator = torch.Generator().manual_seed(0)
    for weight in network.parameters():
        if weight.ndim > 1:
            nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
    return network


def workload(model: Autoencoder) -> dict[str, Array | npt.NDArray[np.uint8]]:
    """
    Return the inputs and answers of a model.

    The numbers are multiples of 1/256, so that every way to write one as JSON gives the same text, ten characters
    long on average: no contender gets shorter numbers than another.
    """
    random = np.random.default_rng(1)
    contrast = np.linspace(0.1, 1, BATCH_ROWS)[:, None]
    size, dimension = model.manifest.input_size, model.manifest.latent_dim
    samples = np.floor(random.random((BATCH_ROWS, size)) * contrast * 256).astype(np.float32) / np.float32(256)
    latents = np.round(random.standard_normal((BATCH_ROWS, dimension)) * 256).astype(np.float32) / np.float32(256)
    pixels = random.integers(0, 256, model.manifest.input_shape[1:], np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {
        "samples": samples.reshape(BATCH_ROWS, *model.manifest.input_shape),
        "latents": latents,
        "png": np.frombuffer(file.getvalue(), np.uint8),
        "encoded": model.encode(samples),
        "encoded_png": model.encode((pixels.astype(np.float32) / np.float32(255)).reshape(1, -1)),
        "decoded": model.decode(latents).reshape(BATCH_ROWS, -1),
    }


if __name__ == "__main__":
    sys.exit(main())
