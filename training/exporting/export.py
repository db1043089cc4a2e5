"""Write a finished run as a version of the model repository: the whole version, its manifest last, or nothing."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from app.arrays import Samples
from app.engine.autoencoder import Autoencoder
from app.engine.golden import golden_samples
from app.engine.process import available_cores
from app.engine.repository import write_version
from app.importing.tidy import Tolerance
from app.inputs import ImageInput, VectorInput
from app.manifest import CARD, FAMILY_TASKS, GOLDEN, LATENT_MAP, FileDigest, Manifest, Training
from app.priors import DeterministicLatent, GaussianLatent
from training.config import settled
from training.data.dataset import DataSet, Split
from training.evaluation.alarms import alarms
from training.evaluation.evaluate import evaluate
from training.evaluation.measures.classification import measure_classification
from training.evaluation.principal import principal_components, save_principal_components
from training.evaluation.subject import Subject
from training.evaluation.untrained import untrained
from training.exporting.card import write_card
from training.exporting.coarse import rounded_to_bytes
from training.exporting.graphs import PARITY_BATCHES, PARITY_TOLERANCE, rounded_to_half, write_graphs
from training.exporting.prior import fit_prior, trained_prior, write_prior
from training.exporting.report import draw_report
from training.exporting.scorer import add_scorer_graph
from training.fitting.runs import Run
from training.networks.base import Network
from training.networks.stacked_denoising import StackedDenoisingAutoencoder
from training.networks.user_units import OUTPUT_NAMES, DecoderGraph, DenoiserGraph, EncoderGraph
from training.networks.variational import VAE
from training.priors.choice import Choice

log = logging.getLogger(__name__)


def export(run: Run, data: DataSet, models_dir: Path, tolerance: Tolerance = PARITY_TOLERANCE) -> Path:
    """
    Write the next version of the run's model: graphs, golden samples, metrics, figures, card, manifest.

    Returns the version's folder. `tolerance` is the allowed difference between torch and onnxruntime.
    Raises ExportError or InvalidModel if the graphs fail a check; then nothing is left behind.
    """

    def write(folder: Path, version: int) -> Manifest:
        draft = write_model(run, data, folder, version, tolerance)
        options, seed = run.config, run.config.optimisation.seed
        choice = choose_prior(run, folder, draft, data)
        if choice:
            draft = write_prior(folder, draft, data, choice, tolerance)
        if data.calibration and options.scorer.kind != "none" and not options.is_conditional:
            is_held_out = not settled(options.optimisation.folds)
            draft = add_scorer_graph(folder, draft, data, options.scorer, seed, tolerance, counts_errors=is_held_out)
        return _write_report(run, data, folder, draft)

    target, manifest = write_version(models_dir, run.config.name, write)
    assert manifest.parity is not None
    difference = manifest.parity.max_abs_difference
    log.info("wrote %s (torch and onnxruntime differ by at most %.1g)", target, difference)
    return target


def choose_prior(run: Run, folder: Path, draft: Manifest, data: DataSet) -> Choice | None:
    """Return the prior that the run trained with its network, or one that is fitted now, or None."""
    network, options, seed = run.network, run.config.prior, run.config.optimisation.seed
    if isinstance(network, VAE) and network.prior is not None:
        if options.components in ("auto", 1):
            return trained_prior(folder, draft, data, network.prior, seed)
        choice = fit_prior(folder, draft, data, options, seed)
        assert choice is not None  # a flow was asked for
        return replace(choice, is_trained=True)
    return fit_prior(folder, draft, data, options, seed)


def write_model(run: Run, data: DataSet, folder: Path, version: int, tolerance: Tolerance) -> Manifest:
    """Write graphs and golden samples, and return the manifest without metrics."""
    config, latent_dim = run.config, run.config.network.latent_dim
    is_variational = config.objective.family == "variational-autoencoder"
    log.info("exporting the graphs")
    network = rounded_to_half(run.network).eval()
    if config.network.stored_bits == 8:
        network = with_coarse_stack(network)
    steps = run.preprocessing, data.input.value_range
    encoder, decoder = EncoderGraph(network, run.preprocessing), DecoderGraph(network, *steps)
    samples = repeat_samples(data.test, max(PARITY_BATCHES))
    denoiser = DenoiserGraph(with_coarse_stack(network), *steps) if network.denoiser else None
    parity = write_graphs(encoder, decoder, folder, samples, tolerance, denoiser)
    write_golden(encoder, decoder, data.input, folder, denoiser)
    return Manifest(
        name=config.name,
        version=version,
        description=config.description,
        family=config.objective.family,
        tasks=FAMILY_TASKS[config.objective.family],
        input=data.input,
        latent=GaussianLatent(dimension=latent_dim) if is_variational else DeterministicLatent(dimension=latent_dim),
        labels=data.classes if network.classes else (),
        likelihood=network.likelihood.record(),
        preprocessing=run.preprocessing.record,
        files={path.name: FileDigest.of(path) for path in sorted(folder.iterdir())},
        parity=parity,
    )


def with_coarse_stack(network: Network) -> Network:
    """Return a copy whose stack has large weights of 8 bits: always for a denoiser, which only looks at its answers."""
    coarse = copy.deepcopy(network)
    coarse.stack = rounded_to_bytes(network.stack)
    return coarse


def _write_report(run: Run, data: DataSet, folder: Path, draft: Manifest) -> Manifest:
    """Measure the folder's graphs, draw the figures, and write card and manifest."""
    model = Autoencoder.open(folder, draft, threads=available_cores())
    log.info("evaluating on %d test samples", len(data.test))
    reference, subject = untrained(run.config, data, run.preprocessing), Subject.of(model, data)
    pca = principal_components(subject)
    save_principal_components(pca, len(subject.baseline_rows()), folder)
    metrics = evaluate(model, data, run.config.evaluation, reference, binarisation=run.config.binarisation, pca=pca)
    if isinstance(run.network, StackedDenoisingAutoencoder) and run.network.classifier:
        metrics += (measure_classification(subject, run.network.classifier),)
    warnings = alarms(metrics, run.record.history, draft, cut_short=bool(run.record.cut_short))
    for warning in warnings:
        log.warning("%s: %s", draft.name, warning)
    log.info("drawing the figures")
    latent_map = draw_report(model, data, run.record.history, metrics, folder)
    np.savez_compressed(folder / LATENT_MAP, allow_pickle=False, **latent_map)
    training = describe_training(run, warnings)
    measured = draft.model_copy(update={"metrics": metrics, "training": training})
    (folder / CARD).write_text(write_card(measured, training, data, folder), encoding="utf-8")
    manifest = measured.with_files(folder)
    manifest.write(folder)
    return manifest


def repeat_samples(split: Split, count: int) -> Samples:
    """Return the first `count` samples of a split in the user's units, starting again if it has fewer."""
    return split.take(np.arange(count) % len(split)).in_users_units()


def write_golden(
    encoder: EncoderGraph,
    decoder: DecoderGraph,
    input_spec: ImageInput | VectorInput,
    folder: Path,
    denoiser: DenoiserGraph | None = None,
) -> None:
    """Write a few synthetic samples with torch's latents and reconstructions of them, and its denoised ones."""
    unit = torch.from_numpy(golden_samples(tuple(input_spec.shape)))
    with torch.no_grad():
        if input_spec.value_range:
            # in float32 the sum may lie beyond the range by one rounding
            samples = decoder.clip_to_range(input_spec.value_range.low + input_spec.value_range.span * unit)
        else:
            samples = encoder.preprocessing.inverse(4 * unit - 2)  # within two deviations of a standardised column
        outputs = encoder(samples)
        inputs = decoder.example_inputs(outputs[0])
        reconstructions = decoder(*inputs.values())
        denoised = {"denoised": denoiser(samples)} if denoiser else {}
    latents = dict(zip(OUTPUT_NAMES[len(outputs)], outputs, strict=True))
    labels = {"labels": inputs["labels"]} if "labels" in inputs else {}
    tensors = {"samples": samples, **latents, **labels, "reconstructions": reconstructions, **denoised}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **arrays)


def describe_training(run: Run, warnings: tuple[str, ...]) -> Training:
    """Return the manifest's entry about the training, from the run's record."""
    return Training(
        configuration=run.config.model_dump(mode="json"),
        data_fingerprint=run.record.data_fingerprint,
        libraries=run.record.libraries,
        seed=run.config.optimisation.seed,
        minutes=run.record.minutes,
        hardware=run.record.hardware,
        finished=run.record.finished,
        warnings=warnings,
        cut_short=bool(run.record.cut_short),
    )
