"""Write a calibrated scorer into a version's folder: graph, golden samples, and the manifest's entry."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import torch

from app.arrays import Latents, Rows, Samples
from app.engine.autoencoder import Autoencoder
from app.engine.drift.ranks import CalibratedLatents, LatentRanks
from app.engine.process import available_cores
from app.engine.scorer import CALIBRATED_LATENTS, OUTPUTS
from app.engine.session import open_session
from app.importing.tidy import Tolerance
from app.manifest import DECODER, ENCODER, GOLDEN, PRIOR, SCORER, FileDigest, Manifest, TaskName
from app.scorers import FittedScorer
from training.config import ScorerConfig
from training.data.dataset import DataSet
from training.errors import ExportError
from training.evaluation.subject import Subject
from training.exporting.coarse import write_coarse_copy
from training.exporting.graphs import PARITY_BATCHES, PARITY_TOLERANCE, check_graph, export_graph
from training.scorers.compose import compose_scorer
from training.scorers.features import scored_arrays
from training.scorers.fit import fit_scorer, fitted_rows
from training.scorers.graph import ScorerGraph
from training.scorers.latents import latent_ranks

SCORE_SLACK = 1e-3
"""Difference of scores, which rounding makes, beside the tolerance of all outputs."""


def add_scorer_graph(
    folder: Path,
    draft: Manifest,
    data: DataSet,
    options: ScorerConfig,
    seed: int,
    tolerance: Tolerance = PARITY_TOLERANCE,
    *,
    counts_errors: bool = True,
) -> Manifest:
    """
    Fit a scorer to the pair in a folder, write it there, and return the manifest with it.

    The graph holds a copy of the pair whose large weights have 8 bits. It is fitted and calibrated with that copy.
    `counts_errors` must be false if the network was fitted to the validation part, too.
    Raises DataError if the data do not fit, and ExportError if the graph differs from torch.
    """
    with tempfile.TemporaryDirectory() as temporary:
        model = copy_pair(folder, draft, Path(temporary))
        subject = Subject.of(model, data, seed)
        graph = fit_scorer(subject, data, options, seed, counts_errors=counts_errors)
        write_graph(graph, model, folder / SCORER)
    write_latents(latent_ranks(calibration_latents(folder, draft, data)), folder / SCORER)
    samples = data.test.take(np.arange(max(PARITY_BATCHES)) % len(data.test)).in_users_units()
    for rows in (samples, *((samples[:size]) for size in PARITY_BATCHES)):
        check_parity(graph, model, folder, rows, tolerance)
    _write_golden(graph, model, folder)
    train, validation = map(len, fitted_rows(subject, data, seed))
    scorer = FittedScorer(
        parts=graph.parts,
        bank_rows=len(graph.nearest.bank),
        calibration_rows=len(graph.calibration),
        fitted_on=f"{train} training and {validation} validation rows of {data.name}, calibrated on "
        f"{len(graph.calibration)} others",
    )
    tasks = tuple(task for task in get_args(TaskName) if task in (*draft.tasks, "score"))
    files = {**draft.files, **{name: FileDigest.of(folder / name) for name in (SCORER, GOLDEN)}}
    return draft.model_copy(update={"format": 2, "scorer": scorer, "tasks": tasks, "files": files})


def calibration_latents(folder: Path, draft: Manifest, data: DataSet) -> Latents:
    """Return the latents of the calibration rows, by the encoder in a folder."""
    assert data.calibration is not None
    encoder, decoder = (open_session(folder / name, available_cores()) for name in (ENCODER, DECODER))
    subject = Subject.of(Autoencoder(draft, encoder, decoder), data)
    parts = subject.chunks(data.calibration)
    return np.concatenate([subject.model.posterior(part.in_users_units()).mu for part in parts])


def copy_pair(folder: Path, manifest: Manifest, copies: Path) -> Autoencoder:
    """Return a copy of a version's pair, written to another folder, whose large weights have 8 bits."""
    for name in (ENCODER, DECODER):
        write_coarse_copy(folder / name, copies / name)
    if manifest.has_trained_prior:
        shutil.copyfile(folder / PRIOR, copies / PRIOR)
    encoder, decoder = (open_session(copies / name, available_cores()) for name in (ENCODER, DECODER))
    return Autoencoder(manifest, encoder, decoder, folder=copies)


def write_graph(graph: ScorerGraph, pair: Autoencoder, path: Path) -> None:
    """Write a scorer with the pair that it contains. Raises ExportError."""
    manifest, folder = pair.manifest, pair.folder
    assert folder is not None
    shape = manifest.input_shape
    example = {
        "samples": torch.rand(2, *shape),
        "latents": torch.rand(2, manifest.latent_dim),
        "reconstructions": torch.rand(2, *shape),
    }
    if manifest.latent.kind == "gaussian":
        example["logvar"] = torch.rand(2, manifest.latent_dim)
    with tempfile.TemporaryDirectory() as temporary:
        head = Path(temporary) / "head.onnx"
        export_graph(graph, example, OUTPUTS, head)
        compose_scorer(folder / ENCODER, folder / DECODER, head, path)
    check_graph(path)


def write_latents(latents: tuple[LatentRanks, ...], path: Path) -> None:
    """Add the calibration rows along each latent to the metadata of a scorer."""
    model = onnx.load(path)
    text = CalibratedLatents(latents=latents).model_dump_json()
    model.metadata_props.append(onnx.StringStringEntryProto(key=CALIBRATED_LATENTS, value=text))
    onnx.save(model, path)


def check_parity(graph: ScorerGraph, model: Autoencoder, folder: Path, samples: Samples, tolerance: Tolerance) -> None:
    """
    Raise ExportError if scorer.onnx differs from torch.

    A score may differ as much as the server allows for golden samples: between close calibration rows its slope is
    steep. A p-value may differ by a step.
    """
    answers = open_session(folder / SCORER, threads=1).run(list(OUTPUTS), {"samples": samples})
    step = 1 / (len(graph.calibration) + 1)
    for name, answer, expected in zip(OUTPUTS, answers, scored(graph, model, samples), strict=True):
        difference = np.abs(answer - expected).max()
        slack = {"p_value": step, "score": SCORE_SLACK}.get(name, 0.0)
        if not tolerance.allows(float(difference) - slack, expected):
            raise ExportError(f"{SCORER}: torch and onnxruntime differ by {difference:.2g} in {name}")


def scored(graph: ScorerGraph, model: Autoencoder, samples: Samples) -> tuple[Rows, ...]:
    """Return torch's score, p-value and attribution for what a pair makes of samples."""
    with torch.no_grad():
        outputs = graph(*map(torch.from_numpy, scored_arrays(model, samples)))
    return tuple(output.numpy() for output in outputs)


def _write_golden(graph: ScorerGraph, model: Autoencoder, folder: Path) -> None:
    """Add the scorer's outputs for the golden samples to them."""
    with np.load(folder / GOLDEN, allow_pickle=False) as archive:
        golden: Mapping[str, Rows] = {name: archive[name] for name in archive.files}
    outputs = dict(zip(OUTPUTS, scored(graph, model, golden["samples"].astype(np.float32)), strict=True))
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **{**golden, **outputs})
