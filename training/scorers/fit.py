"""
Fit a scorer to a version's training and validation parts, and calibrate it on the calibration part.

The network was fitted to the training part, so errors of it would look small: the expected errors, and the tails of
errors and of densities, are those of the validation part. Distances need no rows of their own: each row of the bank is
compared with the others. The calibration part plays no role until the score is complete, so that the p-values hold
whatever the score is.
"""

from __future__ import annotations

import logging

import numpy as np
import torch

from training.config import PriorConfig, ScorerConfig
from training.data.calibration import check_held_out
from training.data.dataset import DataSet
from training.errors import DataError
from training.evaluation.subject import Subject
from training.priors.choice import choose_prior
from training.priors.codes import Codes
from training.scorers.features import FeatureGraph, Features, features_of
from training.scorers.graph import ScorerGraph
from training.scorers.parts import LatentSurprise, NearestRow, ReconstructionError
from training.scorers.tails import Tail

log = logging.getLogger(__name__)

MAX_BANK_NUMBERS = 2**20
"""The most numbers in the rows of a bank: 2 MiB in half precision."""
MAX_CODES = 10_000
"""Rows that the density of the latents is fitted to."""
HALF_NUMBERS = 2**16
"""Numbers in a bank above which they are rounded to half precision."""


def fit_scorer(subject: Subject, data: DataSet, options: ScorerConfig, seed: int) -> ScorerGraph:
    """Return a calibrated scorer. Raises DataError if a part has no rows, or if calibration rows are not held out."""
    if data.calibration is None or min(map(len, (data.train, data.validation, data.calibration))) == 0:
        raise DataError(f"{data.name}: a scorer needs a training, a validation and a calibration part")
    for known, role in ((data.train, "training rows"), (data.validation, "validation rows"), (data.test, "test rows")):
        check_held_out(data, known, role)
    log.info("fitting the scorer")
    with torch.no_grad():
        return _fit(subject, data, options, seed)


def _fit(subject: Subject, data: DataSet, options: ScorerConfig, seed: int) -> ScorerGraph:
    train, held_out = features_of(subject, data.train), features_of(subject, data.validation)
    graph = ScorerGraph(
        FeatureGraph(subject.manifest),
        ReconstructionError(held_out),
        fit_bank(train, held_out, options, seed),
        fit_density(train, held_out, seed),
    )
    graph.set_tails(_fit_tails(graph, held_out))
    scores = [graph.score(graph.values(chunk)) for chunk in _chunks(features_of(subject, data.calibration))]
    graph.set_calibration(torch.cat(scores))
    return graph.eval()


def fit_bank(train: Features, held_out: Features, options: ScorerConfig, seed: int) -> NearestRow:
    """Return the bank: a seeded choice of the rows of both parts, rounded to half precision if it is large."""
    rows = Features(*(torch.cat(pair) for pair in zip(train, held_out, strict=True)))
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(rows.x)))
    nearest = NearestRow(rows, order[: options.bank_rows])
    nearest.bank = nearest.bank[: max(1, MAX_BANK_NUMBERS // nearest.bank.shape[1])]
    if nearest.bank.numel() > HALF_NUMBERS:
        nearest.bank = nearest.bank.half().float()
    return nearest


def fit_density(train: Features, held_out: Features, seed: int) -> LatentSurprise:
    """Return the density of the latents: the mixture that the priors' rule chooses."""
    random = np.random.default_rng(seed)
    codes, others = (
        Codes(part.latents[random.permutation(len(part.latents))[:MAX_CODES]].double().numpy())
        for part in (train, held_out)
    )
    return LatentSurprise(choose_prior(codes, others, 0, PriorConfig(covariance="full"), seed).mixture)


def _fit_tails(graph: ScorerGraph, held_out: Features) -> list[Tail]:
    parts = [graph.values(chunk) for chunk in _chunks(held_out)]
    errors, *_, surprises = (torch.cat(columns) for columns in zip(*parts, strict=True))
    distances = [graph.nearest.among_themselves(index) for index in range(len(graph.nearest.scalings))]
    values = [errors, *distances, surprises]
    return [Tail.of(column[column.isfinite()].double().numpy()) for column in values]


def _chunks(features: Features, rows: int = 512) -> list[Features]:
    """Split features into chunks of rows, since each row has a distance to each row of the bank."""
    return [Features(*parts) for parts in zip(*(column.split(rows) for column in features), strict=True)]
