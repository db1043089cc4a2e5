"""Fit a prior to a version's latents, and write it into the version's folder: graph and golden samples."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from app.arrays import Rows
from app.engine.autoencoder import Autoencoder
from app.engine.golden import GOLDEN_SEED, MAX_GOLDEN_ROWS
from app.engine.process import available_cores
from app.importing.tidy import Tolerance
from app.manifest import GOLDEN, PRIOR, FileDigest, Manifest, TaskName
from app.priors import FittedPrior
from training.config import PriorConfig
from training.data.dataset import DataSet
from training.errors import DataError
from training.evaluation.subject import Subject
from training.exporting.graphs import (
    PARITY_BATCHES,
    PARITY_SEED,
    PARITY_TOLERANCE,
    compare,
    export_graph,
    rounded_to_half,
)
from training.priors.choice import Choice
from training.priors.codes import draw_codes
from training.priors.flows.fit import Flow
from training.priors.flows.graph import FlowGraph
from training.priors.flows.realnvp import RealNVP
from training.priors.graph import MixtureGraph
from training.priors.kinds import MAX_ROWS, check_kind, choose_prior, most_rows
from training.priors.mixture import Mixture, Scale

log = logging.getLogger(__name__)

TRAINED = "configuration, which trains it with the network, as the prior of the bound"


def fit_prior(folder: Path, draft: Manifest, data: DataSet, config: PriorConfig, seed: int) -> Choice | None:
    """
    Return the prior that a configuration asks for, fitted to the latents of the graphs in a folder, or None.

    It is fitted on the training part and chosen by the validation part. Raises DataError if the data do not fit, and
    InvalidConfiguration if the model cannot have this kind of prior.
    """
    is_variational = draft.latent.kind == "gaussian"
    if config.kind == "none" or (config.kind == "normal" and is_variational):
        return None
    labels = len(draft.labels)
    check_kind(config, labels, draft.latent_dim)
    if min(len(data.train), len(data.validation)) == 0:
        raise DataError(f"{data.name}: a prior needs a training and a validation part")
    log.info("fitting the prior")
    rows = most_rows(config)
    subject = Subject.of(Autoencoder.open(folder, draft, threads=available_cores()), data, seed)
    train = draw_codes(subject, data.train, rows, seed)
    held_out = draw_codes(subject, data.validation, rows, seed + 1)  # other noise: the same is not held out
    choice = choose_prior(train, held_out, labels, config, seed)
    if is_variational and config.kind == "auto" and not choice.is_better:
        log.info("the prior stays N(0, I): %s", describe_gain(choice))
        return None
    return choice


def trained_prior(folder: Path, draft: Manifest, data: DataSet, network: RealNVP, seed: int) -> Choice:
    """Return the prior that was trained with a network, and its likelihood of codes of the validation part."""
    subject = Subject.of(Autoencoder.open(folder, draft, threads=available_cores()), data, seed)
    held_out = draw_codes(subject, data.validation, MAX_ROWS, seed + 1)
    flow = Flow("realnvp", Scale.identity(draft.latent_dim), rounded_to_half(network).eval().requires_grad_(False))
    choice = Choice.of(flow, flow.log_likelihoods(held_out), held_out, held_out, TRAINED)
    return replace(choice, rows=len(data.train), is_trained=True)


def describe_gain(choice: Choice) -> str:
    """Return a sentence that compares a prior with N(0, I) on held-out codes."""
    subject = "the mixture's" if isinstance(choice.prior, Mixture) else f"{choice.prior.kind}'s"
    verdict = "better by more than chance" if choice.is_better else "not better by more than chance"
    return (
        f"{subject} {choice.log_likelihood:.3f} nats per held-out code are {verdict} than the "
        f"{choice.standard_normal:.3f} of N(0, I)"
    )


def write_prior(
    folder: Path, draft: Manifest, data: DataSet, choice: Choice, tolerance: Tolerance = PARITY_TOLERANCE
) -> Manifest:
    """
    Write the graph and its golden samples, and return the manifest with the prior.

    Raises ExportError if the graph differs from torch.
    """
    graph, is_conditional = rounded_to_half(graph_of(choice.prior)).eval(), bool(draft.labels)
    inputs = graph.example_inputs(max(PARITY_BATCHES), is_conditional, PARITY_SEED)
    export_graph(graph, {name: rows[:2] for name, rows in inputs.items()}, ["latents"], folder / PRIOR)
    difference = compare(graph, folder / PRIOR, inputs, tolerance)
    _write_golden(graph, folder)
    is_variational = draft.latent.kind == "gaussian"
    prior = FittedPrior(
        **members_of(choice.prior),
        noise_dimension=graph.noise_dim,
        fitted_on=f"{choice.rows} codes of {data.name}, training part: "
        + ("one draw from the posterior of each sample" if is_variational else "the latents of the samples"),
        chosen_by=choice.rule,
        log_likelihood=choice.log_likelihood,
        standard_normal_log_likelihood=choice.standard_normal if is_variational else None,
    )
    tasks = tuple(task for task in get_args(TaskName) if task in (*draft.tasks, "generate"))
    files = {**draft.files, **{name: FileDigest.of(folder / name) for name in (PRIOR, GOLDEN)}}
    changes: dict[str, object] = {"format": 2, "prior": prior, "tasks": tasks, "files": files}
    if choice.is_trained:
        changes["latent"] = draft.latent.model_copy(update={"prior": "trained"})
    if draft.parity:
        largest = max(draft.parity.max_abs_difference, difference)
        changes["parity"] = draft.parity.model_copy(update={"max_abs_difference": largest})
    return draft.model_copy(update=changes)


def graph_of(prior: Mixture | Flow) -> MixtureGraph | FlowGraph:
    """Return the network that makes latents of noise."""
    return MixtureGraph(prior) if isinstance(prior, Mixture) else FlowGraph(prior)


def members_of(prior: Mixture | Flow) -> dict[str, Any]:
    """Return the members of the manifest's description that only one kind of prior has."""
    if isinstance(prior, Mixture):
        return {"kind": "gmm", "components": prior.components, "covariance": prior.covariance}
    components = prior.network.components if isinstance(prior.network, RealNVP) else 1
    base = {"components": (components,)} if components > 1 else {}
    return {"kind": prior.kind, "layers": prior.network.layers, **base}


def _write_golden(graph: MixtureGraph | FlowGraph, folder: Path) -> None:
    """Add noise and the latents that torch makes of it to the golden samples, under their labels if they have some."""
    with np.load(folder / GOLDEN, allow_pickle=False) as archive:
        golden: Mapping[str, Rows] = {name: archive[name] for name in archive.files}
    labels = golden.get("labels")
    noise = graph.example_inputs(MAX_GOLDEN_ROWS if labels is None else len(labels), False, GOLDEN_SEED)["noise"]
    with torch.no_grad():
        draws = graph(noise) if labels is None else graph(noise, torch.from_numpy(labels.astype(np.int64)))
    arrays = {**golden, "noise": noise.numpy(), "draws": draws.numpy()}
    np.savez_compressed(folder / GOLDEN, allow_pickle=False, **arrays)
