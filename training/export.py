"""
A finished run becomes a version of the model repository, or nothing.

All is written into a hidden folder beside the versions, the manifest last; the folder is opened and checked as the
server will do it, and then renamed. A version that exists is never touched.
"""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from app.engine.threads import available_cores
from app.manifest import (
    CARD,
    DECODER,
    ENCODER,
    GOLDEN,
    LATENT_MAP,
    MANIFEST,
    TASKS,
    DeterministicLatent,
    FileDigest,
    GaussianLatent,
    Manifest,
    Parity,
    Training,
    ValueRange,
)
from training.card import write_card
from training.data import DataSet
from training.errors import ExportError
from training.evaluation import evaluate
from training.figures import draw_report
from training.graphs import PARITY_BATCHES, DecoderGraph, EncoderGraph, rounded_to_half, write_graphs
from training.networks import Network
from training.runs import Run

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]

GOLDEN_SEED = 7


def export(run: Run, data: DataSet, models_dir: Path) -> Path:
    """
    Write the next version of the run's model: graphs, golden samples, metrics, figures, card, manifest.

    Raises ExportError where the graphs are not what they must be; then nothing is left behind.
    """
    parent = models_dir / run.config.name
    version = next_version(parent)
    staging = parent / f".{version}-{os.getpid()}.partial"
    staging.mkdir(parents=True)
    try:
        manifest = _write_version(run, data, staging, version)
        load_version(staging, run.config.name, version)
        target = parent / str(version)
        if target.exists():
            raise ExportError(f"{target} was written by somebody else meanwhile; export the run again")
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if not any(parent.iterdir()):
            parent.rmdir()
        raise
    log.info("wrote %s (torch and onnxruntime differ by at most %.1g)", target, _parity(manifest).max_abs_difference)
    return target


def next_version(parent: Path) -> int:
    """One more than the largest version that is there."""
    versions = [int(path.name) for path in parent.glob("[1-9]*") if path.name.isdecimal()]
    return max(versions, default=0) + 1


def _write_version(run: Run, data: DataSet, folder: Path, version: int) -> Manifest:
    config, value_range = run.config, data.input.value_range
    variational = config.objective.family == "variational-autoencoder"
    heads = ["mu", "logvar"] if variational else ["latents"]
    samples = data.test.take(slice(max(PARITY_BATCHES))).in_users_units()
    if len(samples) < max(PARITY_BATCHES):
        raise ExportError(f"expected at least {max(PARITY_BATCHES)} test samples, got {len(samples)}")
    log.info("exporting the graphs")
    network = rounded_to_half(run.network)
    parity = write_graphs(network, value_range, folder, samples, heads)
    write_golden(network, data.input.shape, value_range, folder, heads)
    latent_dim = config.network.latent_dim
    draft = Manifest(
        name=config.name,
        version=version,
        description=config.description,
        family=config.objective.family,
        tasks=TASKS[config.objective.family],
        input=data.input,
        latent=GaussianLatent(dimension=latent_dim) if variational else DeterministicLatent(dimension=latent_dim),
        files={name: FileDigest.of(folder / name) for name in (ENCODER, DECODER, GOLDEN)},
        parity=parity,
    )
    model = Autoencoder.open(folder, draft, threads=available_cores())
    log.info("evaluating on %d test samples", len(data.test))
    metrics = evaluate(model, data, config)
    log.info("drawing the figures")
    plane, labels = draw_report(model, data, run.record.history, folder)
    np.savez_compressed(folder / LATENT_MAP, coordinates=plane.astype(np.float16), labels=labels.astype(np.uint8))
    training = describe_training(run)
    measured = draft.model_copy(update={"metrics": metrics, "training": training})
    (folder / CARD).write_text(write_card(measured, training, data, folder), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    digests = {path.relative_to(folder).as_posix(): FileDigest.of(path) for path in files}
    manifest = Manifest.model_validate({**measured.model_dump(), "files": digests})
    manifest.write(folder)
    return manifest


def write_golden(
    network: Network, input_shape: tuple[int, ...], value_range: ValueRange, folder: Path, heads: list[str]
) -> None:
    """A few synthetic inputs and what torch makes of them."""
    samples = golden_samples(input_shape, value_range)
    with torch.no_grad():
        codes = EncoderGraph(network, value_range)(torch.from_numpy(samples))
        reconstructions = DecoderGraph(network, value_range)(codes[0])
    named = {name: code.numpy() for name, code in zip(heads, codes, strict=True)}
    arrays = {"samples": samples, **named, "reconstructions": reconstructions.numpy()}
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **arrays)


def golden_samples(shape: tuple[int, ...], value_range: ValueRange) -> Array:
    """Eight seeded inputs that are no rows of any data set: both ends of the range, ramps and noise."""
    random = np.random.default_rng(GOLDEN_SEED)
    size = int(np.prod(shape))
    ramp = np.linspace(0, 1, size)
    unit = np.stack(
        [
            np.zeros(size),
            np.ones(size),
            ramp,
            ramp[::-1],
            0.5 + 0.5 * np.sin(40 * ramp),
            *random.random((2, size)),
            (random.random(size) < 0.2).astype(float),
        ]
    )
    return (value_range.low + value_range.span * unit).astype(np.float32).reshape(-1, *shape)


def describe_training(run: Run) -> Training:
    """What the manifest says of how the model was made: what the run wrote down when it ended."""
    return Training(
        configuration=run.config.model_dump(mode="json"),
        data_fingerprint=run.record.data_fingerprint,
        libraries=run.record.libraries,
        seed=run.config.optimisation.seed,
        minutes=run.record.minutes,
        hardware=run.record.hardware,
        finished=run.record.finished,
    )


def _parity(manifest: Manifest) -> Parity:
    assert manifest.parity is not None
    return manifest.parity
