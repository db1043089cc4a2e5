"""Lightning's Trainer for a stage: its callbacks, its bar, and what of its output is shown."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from training.config import settled
from training.fitting.callbacks import Checkpoint, Deadline, EarlyStoppingAfterWarmup, FiniteLoss, moving_average
from training.fitting.progress import EpochBar
from training.fitting.ranks import is_first_rank, local_world, world
from training.fitting.stages import Stage
from training.quiet import only_errors


def build_trainer(
    stage: Stage, accelerator: str, device: torch.device, callbacks: Sequence[Callback], folder: Path | None
) -> lightning.Trainer:
    """
    Return Lightning's trainer of a stage, on one device or on one device per process.

    With a folder, its parent gets a TensorBoard log; checkpoints are the callbacks' own.
    """
    options = stage.config.optimisation
    is_saved = any(isinstance(callback, Checkpoint) for callback in callbacks)
    return lightning.Trainer(
        accelerator=accelerator if world() == 1 else device.type,
        devices=local_world(),
        num_nodes=world() // local_world(),
        strategy="auto" if world() == 1 else DDPStrategy(broadcast_buffers=False),
        use_distributed_sampler=False,
        max_epochs=stage.plan.epochs,
        precision=settled(options.precision),
        gradient_clip_val=options.gradient_clip,
        callbacks=[*_common_callbacks(stage, device), *callbacks],
        logger=TensorBoardLogger(folder.parent, name="tensorboard", version=folder.name) if folder else False,
        enable_checkpointing=is_saved,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        enable_progress_bar=_shows_progress(),
        enable_model_summary=False,
    )


def _common_callbacks(stage: Stage, device: torch.device) -> list[Callback]:
    options = stage.config.optimisation
    callbacks: list[Callback] = [FiniteLoss(stage.plan.name), Deadline(stage.deadline)]
    if options.ema_decay:
        # By default the average is on the CPU and includes the buffers: the preprocessing's bounds, some infinite.
        average_device = device if device.type == "cuda" else None
        average = moving_average(options.ema_decay)
        callbacks.insert(0, WeightAveraging(average_device, use_buffers=False, multi_avg_fn=average))
    if _shows_progress():
        callbacks.append(EpochBar(console_kwargs={"stderr": True}))
    return callbacks


def early_stopping(stage: Stage) -> EarlyStoppingAfterWarmup:
    """Return the callback that ends a stage without an improvement."""
    patience = settled(stage.config.optimisation.patience)
    return EarlyStoppingAfterWarmup(stage.warmup_epochs, patience=patience, monitor=stage.criterion, mode="min")


def checkpoints(stage: Stage, folder: Path) -> list[Callback]:
    """Return the callbacks that save the best and the last weights of a stage."""
    saved: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    return [
        Checkpoint(folder, filename="best", monitor=stage.criterion, mode="min", **saved),
        Checkpoint(folder, filename="last", **saved),  # save_last of `best` would save only with a new best
    ]


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """
    Suppress advice about worker processes, which data in memory do not need, and deprecations in dependencies.

    Ctrl-C, for which Lightning raises SystemExit, is a KeyboardInterrupt.
    """
    loggers = ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero")
    with only_errors(*loggers), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        try:
            yield
        except SystemExit as exit_:
            raise KeyboardInterrupt from exit_


def _shows_progress() -> bool:
    return sys.stderr.isatty() and is_first_rank()
