"""What watches a stage while it is trained: its checkpoints, its clock, its loss, and the average of its weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from training.errors import RunError
from training.fitting.ranks import sum_over_ranks, world

CHECK_EVERY = 50
"""Steps between looks at the loss where each look costs a wait for the GPU or for other processes."""


class Checkpoint(ModelCheckpoint):
    """Lightning's, but its memory of the best one survives a move of the folder."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state up with this folder in the place of the one that it was saved in."""

        def moved(path: str) -> str:
            return str(Path(str(self.dirpath)) / Path(path).name) if path else path

        paths = {name: moved(path) for name, path in state_dict.items() if name.endswith("_path")}
        best = {moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict({**state_dict, **paths, "dirpath": self.dirpath, "best_k_models": best})


class Deadline(Callback):
    """Stop at the end of the epoch in which the time runs out. What is left can be resumed."""

    def __init__(self, at: float) -> None:
        self._at = at

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Compare with the monotonic clock; all processes stop when the first one's time is over."""
        if trainer.strategy.reduce_boolean_decision(time.monotonic() >= self._at, all=False):
            trainer.should_stop = True


class FiniteLoss(Callback):
    """Stop at the first training loss that is not finite, before a checkpoint is overwritten. Raises RunError."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._losses: list[Tensor] = []

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Forget the epoch before."""
        self._losses.clear()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look at each loss on a CPU; elsewhere at those of the last steps together, and at the end of an epoch."""
        self._losses.append(outputs["loss"])
        costly = world() > 1 or self._losses[0].device.type != "cpu"
        steps = batch_idx + 1
        if costly and steps % CHECK_EVERY and steps < trainer.num_training_batches:
            return
        spoilt = sum_over_ranks([not math.isfinite(loss) for loss in torch.stack(self._losses).tolist()])
        if any(spoilt):
            step = steps - len(self._losses) + 1 + next(index for index, count in enumerate(spoilt) if count)
            raise RunError(
                f"{self._stage}: the loss was not finite at step {step} of epoch {trainer.current_epoch + 1}; "
                "a smaller learning_rate or gradient_clip may help"
            )
        self._losses.clear()


def moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """
    The update of an exponential moving average of weights whose decay rises to `decay`; all weights in one call.

    With a fixed decay of 0.999 the random start would still be a third of the average after 1000 steps.
    Source of the rise, (1 + n) / (10 + n): the documentation of TensorFlow's ExponentialMovingAverage.
    """

    def update(averages: list[Tensor], current: list[Tensor], updates: Tensor | int) -> None:
        count = float(updates)
        torch._foreach_lerp_(averages, current, 1 - min(decay, (1 + count) / (10 + count)))

    return update
