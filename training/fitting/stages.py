"""
The stages of a run, as modules for Lightning's Trainer.

A run has one stage. A stacked denoising autoencoder has one for each layer, and then one that fine-tunes the whole.
All randomness of a step depends on (seed, stage, step) only, so a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from app.inputs import ValueRange
from training.config import Config, DenoisingObjective, settled
from training.fitting.augmentation import augment
from training.fitting.batches import Batches, mixed_seed
from training.fitting.corruption import TrainingNoise
from training.fitting.draws import Draws
from training.fitting.means import EpochMeans
from training.fitting.ranks import BatchShare
from training.fitting.schedules import learning_rate_factor
from training.networks.base import Network
from training.preprocessing import Preprocessor

log = logging.getLogger(__name__)

VALIDATION_STREAM = 2**40
"""Added to the batch number in place of a step. Validation noise is the same in every epoch, and no training step's."""


@dataclass(frozen=True)
class StagePlan:
    """A stage's place in the run, its length, and the unit of its noise."""

    name: str
    index: int
    epochs: int
    steps_per_epoch: int
    value_range: ValueRange | None
    """The samples' range. Its span is the unit of noise; without it, noise is added after the preprocessing."""
    schedule_epochs: int | None = None
    """The epochs at whose end the learning rate is lowest; None: the stage's own."""


class Stage(lightning.LightningModule):
    """A network, the parameters to train, and the loss that trains them."""

    def __init__(self, network: Network, preprocessing: Preprocessor, config: Config, plan: StagePlan) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.config = config
        self.plan = plan
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.deadline = math.inf
        """The monotonic time at which the stage ends, and its schedule with it."""
        self.cut_short = False
        self.held_out: Sequence[Mapping[str, float]] = ()
        """The records of cross-validation, whose held-out terms stand for those of a stage without held-out rows."""
        self._began_at = math.nan
        self.device_name = "cpu"
        self._resumed_at = time.monotonic()
        self._means = EpochMeans()

    def trained_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that this stage trains."""
        return self.network.pair_parameters()

    @property
    def criterion(self) -> str:
        """Return the name of the mean over held-out rows that decides which weights are kept."""
        return "validation/loss"

    @property
    def warmup_epochs(self) -> int:
        """Return the epochs in which the loss itself changes; patience begins after them."""
        return 0

    def terms(self, samples: Tensor, labels: Tensor, draws: Draws, validating: bool) -> dict[str, Tensor]:
        """Return the loss and its terms, means over a batch of samples in the user's units."""
        raise NotImplementedError

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        """Return the weighted loss of this process's share of a batch: samples in the user's units, and labels."""
        samples, labels = batch
        share = self._share(self.trainer.train_dataloader, batch_index)
        draws = self._draws(self.global_step, share)
        if self.config.augmentation.is_active:
            samples = augment(samples, self.config.augmentation, draws)
        terms = self.terms(samples, labels, draws, validating=False)
        self._means.add("train", terms, share.rows)
        return terms["loss"] * share.weight

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:
        """Add the terms of held-out rows."""
        samples, labels = batch
        share = self._share(self.trainer.val_dataloaders, batch_index)
        self._means.add("validation", self.validation_terms(samples, labels, batch_index, share), share.rows)

    def validation_terms(self, samples: Tensor, labels: Tensor, index: int, share: BatchShare) -> dict[str, Tensor]:
        """Return the terms of a held-out batch, with the same noise in every epoch and the final weight of the KL."""
        return self.terms(samples, labels, self._draws(VALIDATION_STREAM + index, share), validating=True)

    def on_train_epoch_start(self) -> None:
        """Forget the terms of the previous epoch."""
        self._means.clear()

    def on_validation_epoch_end(self) -> None:
        """Log the means for checkpoints and early stopping, which read the criterion."""
        self.log_dict(self._means.of("validation"))

    def on_train_epoch_end(self) -> None:
        """Add the epoch's means and the time to the history, which checkpoints contain, and log one line."""
        means, held_out = self._means.of("train"), self._held_out_means()
        self.log_dict(means | held_out if self.held_out else means)  # on_validation_epoch_end has logged the others
        means |= held_out
        self.seconds, self._resumed_at = self.elapsed_seconds(), time.monotonic()
        self.history.append({"epoch": self.current_epoch + 1, "seconds": self.seconds, **means})
        shown = "  ".join(f"{term} {value:.3f}" for term, value in means.items())
        epoch = f"{self.current_epoch + 1}/{self.plan.epochs}"
        log.info("%s  epoch %s  %s  %.0f s", self.plan.name, epoch, shown, self.seconds)

    def _held_out_means(self) -> dict[str, float]:
        """Return the means over held-out rows: this stage's, or those of the epoch in cross-validation."""
        if not self.held_out:
            return self._means.of("validation")
        record = self.held_out[self.current_epoch]
        return {name: value for name, value in record.items() if name.startswith("validation/")}

    def elapsed_seconds(self) -> float:
        """Return the time that this stage has trained for, over all resumptions."""
        return self.seconds + time.monotonic() - self._resumed_at

    def on_fit_start(self) -> None:
        """Start the clock, and note the name of the device."""
        self._resumed_at = self._began_at = time.monotonic()
        self.device_name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the history and the time into the checkpoint."""
        checkpoint["history"], checkpoint["seconds"] = list(self.history), self.elapsed_seconds()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history and the time from the checkpoint."""
        self.history, self.seconds = checkpoint["history"], checkpoint["seconds"]

    def configure_optimizers(self) -> Any:
        """Return AdamW, and a learning rate that changes with each step."""
        options, plan = self.config.optimisation, self.plan
        steps = (plan.schedule_epochs or plan.epochs) * plan.steps_per_epoch
        rate = settled(options.learning_rate)
        optimiser = torch.optim.AdamW(
            self.trained_parameters(), lr=rate, weight_decay=options.weight_decay, betas=(0.9, 0.99)
        )
        schedule = LambdaLR(optimiser, lambda step: self._rate_factor(step, steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate_factor(self, step: int, steps: int) -> float:
        """Return the factor on the learning rate, by the step or, if that is further, by the time that is allowed."""
        if math.isfinite(self.deadline):
            progress = (time.monotonic() - self._began_at) / max(1e-9, self.deadline - self._began_at)
            step = max(step, int(steps * min(1.0, progress)))
        return learning_rate_factor(step, steps, self.config.optimisation.schedule)

    @staticmethod
    def _share(loader: Batches | None, batch_index: int) -> BatchShare:
        assert loader is not None
        return loader.share(batch_index)

    def _draws(self, step: int, share: BatchShare) -> Draws:
        seed = mixed_seed(self.config.optimisation.seed, self.plan.index, step)
        return Draws(seed, self.device, share)

    def _noisy(self, samples: Tensor, draws: Draws) -> Tensor:
        """Return a batch with noise, preprocessed. Without a value range, the noise comes after the preprocessing."""
        objective = self.config.objective
        assert isinstance(objective, DenoisingObjective)
        noise = TrainingNoise(objective.noise, objective.interval, self.plan.value_range)
        return noise.add(samples, self.preprocessing, draws)
