"""Lightning callbacks of a stage: checkpoints, the deadline, the check of the loss, the average of the weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch import Tensor

from training.errors import RunError
from training.fitting.ranks import sum_over_ranks, world

LOSS_CHECK_STEPS = 50
"""Steps between two checks of the loss if a check has to wait for a GPU or for other processes."""


class Checkpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint, which also finds its best checkpoint after the folder was moved."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state, with this folder in place of the folder that it was saved in."""

        def moved(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        paths = {name: moved(path) for name, path in state_dict.items() if name.endswith("_path")}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "dirpath": self.dirpath, "best_k_models": best})


class EarlyStoppingAfterWarmup(EarlyStopping):
    """Lightning's EarlyStopping, whose patience begins after some epochs: before, the loss itself still changes."""

    def __init__(self, warmup_epochs: int, **options: Any) -> None:
        super().__init__(check_on_train_epoch_end=True, **options)
        self._warmup_epochs = warmup_epochs

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare the epoch with earlier ones, unless it belongs to the warm-up."""
        if trainer.current_epoch >= self._warmup_epochs:
            super().on_train_epoch_end(trainer, pl_module)


class Deadline(Callback):
    """Stops training at the end of the epoch in which the time runs out. The run can be resumed."""

    def __init__(self, monotonic_seconds: float) -> None:
        self._monotonic_seconds = monotonic_seconds

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop all processes as soon as one is past the deadline."""
        is_late = time.monotonic() >= self._monotonic_seconds
        if trainer.strategy.reduce_boolean_decision(is_late, all=False):
            trainer.should_stop = True


class FiniteLoss(Callback):
    """Raises RunError at the first training loss that is not finite, before a checkpoint is overwritten."""

    def __init__(self, stage_name: str) -> None:
        self._stage_name = stage_name
        self._losses: list[Tensor] = []

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Forget the losses of the previous epoch."""
        self._losses.clear()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check each loss on a CPU; elsewhere, check the last steps together, and at the end of an epoch."""
        self._losses.append(outputs["loss"])
        is_slow = world() > 1 or self._losses[0].device.type != "cpu"
        steps = batch_idx + 1
        if is_slow and steps % LOSS_CHECK_STEPS and steps < trainer.num_training_batches:
            return
        counts = sum_over_ranks([not math.isfinite(loss) for loss in torch.stack(self._losses).tolist()])
        if any(counts):
            step = steps - len(self._losses) + 1 + next(index for index, count in enumerate(counts) if count)
            raise RunError(
                f"{self._stage_name}: the loss was not finite at step {step} of epoch {trainer.current_epoch + 1}; "
                "a smaller optimisation.learning_rate or optimisation.gradient_clip may help (--set)"
            )
        self._losses.clear()


def moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """
    Return the update of an exponential moving average of weights; its decay rises to `decay`.

    With a fixed decay of 0.999, the random initial weights would still be a third of the average after 1000 steps. The
    update takes all weights in one call.
    Source of the rise, (1 + n) / (10 + n): the documentation of TensorFlow's ExponentialMovingAverage.
    """

    def update(averages: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
        count = float(updates)
        torch._foreach_lerp_(averages, current, 1 - min(decay, (1 + count) / (10 + count)))

    return update
