"""The beginning of a stage: the linear shortcut in its place, and the weights before any step as a candidate."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from training.choices.spectrum import principal_axes, residual
from training.config import Config, settled
from training.data.dataset import DataSet
from training.fitting.batches import Batches
from training.fitting.pair_stages import WholeNetwork
from training.fitting.ranks import on_first_rank
from training.fitting.stages import Stage
from training.networks.base import Network
from training.networks.likelihoods import Gaussian
from training.networks.shortcut import CorrectingStack
from training.preprocessing import Preprocessor

log = logging.getLogger(__name__)

MAX_GROUPS = 200
"""Groups of held-out rows, by which an improvement is told from chance."""

MIN_ERROR = 1e-12
"""A squared error that is added to each, so that its logarithm is finite."""


def place_shortcut(
    network: Network, preprocessing: Preprocessor, config: Config, data: DataSet, *, whole: bool = False
) -> None:
    """
    Put a network's shortcut at the principal axes, and the variance of its likelihood at the error that is left.

    The axes are those of the training part, so that the validation part tells whether training improves on them. With
    `whole`, they are those of both parts, as a user's PCA would have them. The error is of the validation part by axes
    of the training part.
    """
    if not isinstance(network.stack, CorrectingStack):
        return
    count = settled(config.network.latent_dim)
    axes = principal_axes([data.train], preprocessing, count, config.augmentation)
    left = residual(axes, data.validation, preprocessing)
    if whole:
        axes = principal_axes([data.train, data.validation], preprocessing, count, config.augmentation)
    axes = replace(axes, residual=left)
    network.stack.shortcut.place(axes)
    if isinstance(network.likelihood, Gaussian):
        errors = axes.error_of_draws() if network.stack.shortcut.is_variational else left
        network.likelihood.start_at(errors.view(data.input.shape[0], -1))


def begin_correction(stage: Stage) -> None:
    """Set the corrections of a shortcut to zero before the whole network is trained; pretrained layers stay."""
    if isinstance(stage, WholeNetwork) and isinstance(stage.network.stack, CorrectingStack):
        stage.network.stack.begin()


def save_beginning(stage: Stage, validation: Batches, path: Path) -> None:
    """Write the weights before the first step, as checkpoints have them, and their criterion on each held-out group."""
    values = criteria(stage, validation)  # by every process: some noise depends on sums over all of them

    def save() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"state_dict": stage.state_dict(), "criteria": values}, path)

    on_first_rank(save)


def criteria(stage: Stage, validation: Batches) -> Tensor:
    """Return the stage's criterion on each held-out batch, in double precision. Shape: (batches,)."""
    term, was_training = stage.criterion.partition("/")[2], stage.training
    stage.eval()
    with torch.no_grad():
        values = [
            stage.validation_terms(samples.to(stage.device), labels.to(stage.device), index, validation.share(index))
            for index, (samples, labels) in enumerate(validation)
        ]
    stage.train(was_training)
    return torch.stack([terms[term] for terms in values]).cpu().double()


def held_out_groups(data: DataSet) -> Batches:
    """Return the validation part in groups that a choice can be tested on: single rows, if they are few."""
    return Batches(data.validation, -(-len(data.validation) // MAX_GROUPS), None)


def keep_best(stage: Stage, validation: Batches, first: Path, best: Path) -> bool:
    """
    Load the weights of the best epoch into a stage, or those before the first step unless training improved on them.

    Return False if those before the first step are kept.
    An improvement must be more than chance: its mean over held-out groups exceeds its standard error. The logarithms
    of squared errors must improve, too, by twice theirs: so neither a few rows far from all others decide alone, nor
    the many that are close.
    """
    epoch = min(stage.history, key=lambda record: record[stage.criterion])
    stage.load_state_dict(torch.load(best, weights_only=True, map_location="cpu")["state_dict"])
    if first.exists():
        beginning = torch.load(first, weights_only=True, map_location="cpu")
        if not is_improvement(beginning["criteria"], criteria(stage, validation), stage.criterion.endswith("/mse")):
            log.warning("%s: no epoch improved on the weights before training, which are kept", stage.plan.name)
            stage.load_state_dict(beginning["state_dict"])
            return False
    log.info("%s: the weights of epoch %.0f of %d are kept", stage.plan.name, epoch["epoch"], len(stage.history))
    return True


def is_improvement(before: Tensor, after: Tensor, squared: bool) -> bool:
    """Return whether a criterion, of squared errors or not, fell by more than chance. Shapes: (groups,), (groups,)."""
    if not _mean_over_error(before - after) > 1:
        return False
    return not squared or _mean_over_error((before + MIN_ERROR).log() - (after + MIN_ERROR).log()) > 2


def _mean_over_error(gains: Tensor) -> float:
    """Return the mean in units of its standard error; of a single number, infinity or its negative."""
    if len(gains) < 2 or not gains.std() > 0:
        return float(gains.mean().sign()) * math.inf if gains.mean() else 0.0
    return float(gains.mean() / gains.std()) * math.sqrt(len(gains))
