"""
Fit a scorer to a version's training and validation parts, and calibrate it on the calibration part.

The network was fitted to the training part, so errors of it would look small: the expected errors, and the tails of
errors and of densities, are those of the validation part. A network of few rows was fitted to that part, too, after
cross-validation: then errors do not count, as those of any other row would look large. Distances need no rows of their
own: each row of the bank is compared with the others. The calibration part plays no role until the score is complete,
so that the p-values hold whatever the score is.
"""

from __future__ import annotations

import logging

import numpy as np
import torch

from app.manifest import Manifest
from training.config import PriorConfig, ScorerConfig
from training.data.calibration import check_held_out
from training.data.dataset import DataSet, Split
from training.errors import DataError
from training.evaluation.limits import RowLimit
from training.evaluation.subject import Subject, choose_rows
from training.priors.choice import choose_mixture
from training.priors.codes import Codes, Numbers
from training.priors.flows.stored import flow_of_bound
from training.priors.mixture import Groups, Mixture, fit_mixture
from training.scorers.features import FeatureGraph, Features, features_of
from training.scorers.graph import ScorerGraph
from training.scorers.parts import Evidence, FlowSurprise, NearestRow, ReconstructionError, Surprise
from training.scorers.tails import Tail

log = logging.getLogger(__name__)

MAX_BANK_NUMBERS = 2**20
"""The most numbers in the rows of a bank: 2 MiB in half precision."""
MAX_ROWS = RowLimit(10_000, 2**25)
"""Rows of the training and of the validation part that it is fitted to; of more, a seeded choice."""
REGULARISATION = 0.1
"""Larger than a prior's: a density that fits the training rows closely finds all other rows strange."""
FOLDS, MAX_CROSS_FITTED_ROWS = 5, 2_000
HALF_NUMBERS = 2**16
"""Numbers in a bank, or in the matrices of a density, from which they are rounded to half precision."""


def fit_scorer(
    subject: Subject, data: DataSet, options: ScorerConfig, seed: int, *, counts_errors: bool = True
) -> ScorerGraph:
    """
    Return a calibrated scorer. Raises DataError if a part has no rows, or if calibration rows are not held out.

    `counts_errors` must be false if the network was fitted to the validation part, too.
    """
    if data.calibration is None or min(map(len, (data.train, data.validation, data.calibration))) == 0:
        raise DataError(f"{data.name}: a scorer needs a training, a validation and a calibration part")
    for known, role in ((data.train, "training rows"), (data.validation, "validation rows"), (data.test, "test rows")):
        check_held_out(data, known, role)
    log.info("fitting the scorer")
    with torch.no_grad():
        return _fit(subject, data, options, seed, counts_errors)


def _fit(subject: Subject, data: DataSet, options: ScorerConfig, seed: int, counts_errors: bool) -> ScorerGraph:
    train, held_out = (features_of(subject, part) for part in fitted_rows(subject, data, seed))
    flow = flow_of_bound(subject.model)
    prior = FlowSurprise(flow) if flow else None
    density, surprises = _density(train, held_out, prior, seed)
    graph = ScorerGraph(
        FeatureGraph(subject.manifest),
        ReconstructionError(held_out),
        fit_bank(train, held_out, options, seed),
        density,
        evidence_of(subject.manifest, prior) if counts_errors else None,
        has_small_samples=train.has_small_samples,
        counts_errors=counts_errors,
    )
    graph.set_tails(_fit_tails(graph, held_out, surprises))
    assert data.calibration is not None
    calibration = [features_of(subject, part) for part in subject.chunks(data.calibration)]
    graph.set_calibration(torch.cat([graph.score(graph.values(chunk)) for chunk in calibration]))
    return graph.eval()


def evidence_of(manifest: Manifest, prior: FlowSurprise | None) -> Evidence | None:
    """Return the evidence as a part of the score, if the model is variational and its likelihood is known."""
    if manifest.latent.kind != "gaussian" or manifest.likelihood is None:
        return None
    return Evidence(manifest.likelihood, len(manifest.input_shape), prior)


def _density(
    train: Features, held_out: Features, prior: FlowSurprise | None, seed: int
) -> tuple[Surprise | FlowSurprise, Numbers]:
    """Return the density of the rows that are compared, and -log p of rows that it has not seen."""
    if prior and not train.has_small_samples:
        return prior, prior(held_out).double().numpy()
    mixture, surprises = fit_density(train, held_out, seed)
    density = Surprise(mixture)
    if density.factors.numel() >= HALF_NUMBERS:
        density.factors = density.factors.half().float()
    return density, surprises


def fitted_rows(subject: Subject, data: DataSet, seed: int) -> tuple[Split, Split]:
    """Return the rows of the training and of the validation part that a scorer is fitted to."""
    most = subject.row_count(MAX_ROWS)
    return choose_rows(data.train, most, seed), choose_rows(data.validation, most, seed)


def fit_bank(train: Features, held_out: Features, options: ScorerConfig, seed: int) -> NearestRow:
    """Return the bank: a seeded choice of the rows of both parts, rounded to half precision if it is large."""
    rows = Features(*(torch.cat(pair) for pair in zip(train, held_out, strict=True)))
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(rows.x)))
    nearest = NearestRow(rows, order[: options.bank_rows])
    nearest.bank = nearest.bank[: max(1, MAX_BANK_NUMBERS // nearest.bank.shape[1])]
    if nearest.bank.numel() >= HALF_NUMBERS:
        nearest.bank = nearest.bank.half().float()
    return nearest


def fit_density(train: Features, held_out: Features, seed: int) -> tuple[Mixture, Numbers]:
    """
    Return a mixture for the samples, if they are small, or for the latents; and -log p of rows that it has not seen.

    The priors' rule chooses its size. Of many rows, those are the validation part. Of few, the mixture is fitted to
    all, and each row is measured by one like it that was fitted to the rows of the other folds.
    """
    codes, others = (Codes(part.coordinates.double().numpy()) for part in (train, held_out))
    mixture = choose_mixture(codes, others, 0, PriorConfig(covariance="full"), seed, REGULARISATION).mixture
    rows = np.concatenate([codes.latents, others.latents])
    if len(rows) > MAX_CROSS_FITTED_ROWS:
        return mixture, -mixture.log_likelihoods(others)

    def refit(subset: Numbers) -> Mixture:
        groups = Groups.of(Codes(subset), 0)
        components = min(mixture.components[0], groups.most_components(mixture.covariance)[0])
        return fit_mixture(groups, components, mixture.covariance, seed, REGULARISATION) or mixture

    fold, surprises = np.random.default_rng(seed).permutation(len(rows)) % FOLDS, np.empty(len(rows))
    for number in np.unique(fold):
        surprises[fold == number] = -refit(rows[fold != number]).log_likelihoods(Codes(rows[fold == number]))
    return refit(rows), surprises


def _fit_tails(graph: ScorerGraph, held_out: Features, surprises: Numbers) -> list[Tail]:
    errors = [graph.reconstruction.largest(held_out)] if graph.counts_errors else []
    distances = [graph.nearest.among_themselves(index) for index in range(len(graph.nearest.scalings))]
    values = [column.double().numpy() for column in (*errors, *distances)]
    evidence = [graph.evidence(held_out).double().numpy()] if graph.evidence else []
    return [Tail.of(column[np.isfinite(column)]) for column in (*values, surprises, *evidence)]
