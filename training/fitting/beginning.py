"""The beginning of a stage: the linear shortcut in its place, and the weights before any step as a candidate."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch

from training.choices.spectrum import principal_axes
from training.config import Config, settled
from training.data.dataset import DataSet
from training.fitting.batches import Batches
from training.fitting.means import EpochMeans
from training.fitting.stages import Stage, WholeNetwork
from training.networks.base import Network
from training.networks.likelihoods import Gaussian
from training.networks.shortcut import CorrectingStack
from training.preprocessing import Preprocessor

log = logging.getLogger(__name__)


def place_shortcut(network: Network, preprocessing: Preprocessor, config: Config, data: DataSet) -> None:
    """Put a network's shortcut at the principal axes, and the variance of its likelihood at the error that is left."""
    if not isinstance(network.stack, CorrectingStack):
        return
    count = settled(config.network.latent_dim)
    axes = principal_axes(data.train, data.validation, preprocessing, count, config.augmentation)
    network.stack.shortcut.place(axes)
    if isinstance(network.likelihood, Gaussian):
        network.likelihood.start_at(axes.residual.view(data.input.shape[0], -1))


def begin_correction(stage: Stage) -> None:
    """Set the corrections of a shortcut to zero before the whole network is trained; pretrained layers stay."""
    if isinstance(stage, WholeNetwork) and isinstance(stage.network.stack, CorrectingStack):
        stage.network.stack.begin()


def save_beginning(stage: Stage, validation: Batches, path: Path) -> None:
    """Write the weights before the first step, with their validation loss, as checkpoints have them."""
    means = EpochMeans()
    stage.eval()
    with torch.no_grad():
        for index, (samples, labels) in enumerate(validation):
            terms = stage.validation_terms(samples, labels, index, validation.share(index))
            means.add("validation", terms, len(samples))
    stage.train()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": stage.state_dict(), "loss": means.of("validation")["validation/loss"]}, path)


def best_weights(stage: Stage, first: Path, best: Path) -> dict[str, Any]:
    """Return the weights with the least validation loss: those of the best epoch, or those before the first step."""
    epoch = min(stage.history, key=lambda record: record["validation/loss"])
    if first.exists():
        beginning = torch.load(first, weights_only=True, map_location="cpu")
        if beginning["loss"] <= epoch["validation/loss"]:
            log.warning("%s: no epoch improved on the weights before training, which are kept", stage.plan.name)
            return dict(beginning["state_dict"])
    log.info("%s: the weights of epoch %.0f of %d are kept", stage.plan.name, epoch["epoch"], len(stage.history))
    return dict(torch.load(best, weights_only=True, map_location="cpu")["state_dict"])
