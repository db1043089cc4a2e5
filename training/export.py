"""A finished run becomes a version of the model repository, the manifest written last; or nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from app.engine.autoencoder import Autoencoder
from app.engine.golden import golden_samples
from app.engine.process import available_cores
from app.engine.repository import write_version
from app.manifest import (
    CARD,
    DECODER,
    ENCODER,
    GOLDEN,
    LATENT_MAP,
    MANIFEST,
    FAMILY_TASKS,
    DeterministicLatent,
    FileDigest,
    GaussianLatent,
    ImageInput,
    Manifest,
    Parity,
    Training,
    VectorInput,
)
from training.alarms import alarms
from training.card import write_card
from training.data import DataSet, Split
from training.evaluation import evaluate
from training.graphs import (
    PARITY_BATCHES,
    DecoderGraph,
    EncoderGraph,
    named_inputs,
    rounded_to_half,
    write_graphs,
)
from training.report import draw_report
from training.runs import Run
from training.untrained import untrained

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]


def export(run: Run, data: DataSet, models_dir: Path) -> Path:
    """
    Write the next version of the run's model: graphs, golden samples, metrics, figures, card, manifest.

    Raises ExportError or InvalidModel where the graphs are not what they must be; then nothing is left behind.
    """
    target, manifest = write_version(
        models_dir, run.config.name, lambda folder, version: _write_version(run, data, folder, version)
    )
    log.info("wrote %s (torch and onnxruntime differ by at most %.1g)", target, _parity(manifest).max_abs_difference)
    return target


def _write_version(run: Run, data: DataSet, folder: Path, version: int) -> Manifest:
    config = run.config
    variational = config.objective.family == "variational-autoencoder"
    heads = ["mu", "logvar"] if variational else ["latents"]
    log.info("exporting the graphs")
    network = rounded_to_half(run.network).eval()
    encoder = EncoderGraph(network, run.preprocessing)
    decoder = DecoderGraph(network, run.preprocessing, data.input.value_range)
    parity = write_graphs(encoder, decoder, folder, real_samples(data.test, max(PARITY_BATCHES)), heads)
    write_golden(encoder, decoder, data.input, folder, heads)
    latent_dim = config.network.latent_dim
    draft = Manifest(
        name=config.name,
        version=version,
        description=config.description,
        family=config.objective.family,
        tasks=FAMILY_TASKS[config.objective.family],
        input=data.input,
        latent=GaussianLatent(dimension=latent_dim) if variational else DeterministicLatent(dimension=latent_dim),
        labels=data.classes if network.classes else (),
        likelihood=network.likelihood.record(),
        preprocessing=run.preprocessing.record,
        files={name: FileDigest.of(folder / name) for name in (ENCODER, DECODER, GOLDEN)},
        parity=parity,
    )
    return _write_report(run, data, folder, draft)


def _write_report(run: Run, data: DataSet, folder: Path, draft: Manifest) -> Manifest:
    """Measure and draw the graphs that lie in the folder, then write card and manifest."""
    model = Autoencoder.open(folder, draft, threads=available_cores())
    log.info("evaluating on %d test samples", len(data.test))
    blank = untrained(run.config, data, run.preprocessing)
    metrics = evaluate(model, data, run.config.evaluation, blank, binarisation=run.config.binarisation)
    warnings = alarms(metrics, run.record.history)
    for warning in warnings:
        log.warning("%s: %s", draft.name, warning)
    log.info("drawing the figures")
    points = draw_report(model, data, run.record.history, metrics, folder)
    np.savez_compressed(folder / LATENT_MAP, allow_pickle=False, **points)
    training = describe_training(run, warnings)
    measured = draft.model_copy(update={"metrics": metrics, "training": training})
    (folder / CARD).write_text(write_card(measured, training, data, folder), encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    digests = {path.relative_to(folder).as_posix(): FileDigest.of(path) for path in files}
    manifest = Manifest.model_validate({**measured.model_dump(), "files": digests})
    manifest.write(folder)
    return manifest


def real_samples(split: Split, count: int) -> Array:
    """So many samples of a split, float32 in the user's units; over again where it has fewer."""
    return split.take(np.arange(count) % len(split)).in_users_units()


def write_golden(
    encoder: EncoderGraph, decoder: DecoderGraph, given: ImageInput | VectorInput, folder: Path, heads: list[str]
) -> None:
    """A few synthetic inputs and what torch makes of them."""
    unit = torch.from_numpy(golden_samples(tuple(given.shape)))
    with torch.no_grad():
        if given.value_range:
            samples = given.value_range.low + given.value_range.span * unit
        else:
            samples = encoder.preprocessing.inverse(4 * unit - 2)  # within two deviations of a standardised column
        codes = encoder(samples)
        told = named_inputs(decoder.network, codes[0])
        reconstructions = decoder(*told.values())
    named = {name: code.numpy() for name, code in zip(heads, codes, strict=True)}
    labels = {"labels": told["labels"].numpy()} if "labels" in told else {}
    arrays = {"samples": samples.numpy(), **named, **labels, "reconstructions": reconstructions.numpy()}
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **arrays)


def describe_training(run: Run, warnings: tuple[str, ...]) -> Training:
    """What the manifest says of how the model was made: what the run wrote down when it ended."""
    return Training(
        configuration=run.config.model_dump(mode="json"),
        data_fingerprint=run.record.data_fingerprint,
        libraries=run.record.libraries,
        seed=run.config.optimisation.seed,
        minutes=run.record.minutes,
        hardware=run.record.hardware,
        finished=run.record.finished,
        warnings=warnings,
    )


def _parity(manifest: Manifest) -> Parity:
    assert manifest.parity is not None
    return manifest.parity
