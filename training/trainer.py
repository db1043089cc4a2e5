"""Training: the stages of a run under Lightning's Trainer, and their resumption."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    RichProgressBar,
    WeightAveraging,
)
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from training.batches import batches
from training.config import Config
from training.data import DataSet
from training.errors import RunError
from training.networks import Network, build_network
from training.runs import Run, check_data, finish, read_config, start, unfinish
from training.stages import Stage, stages


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
        """Compare with the monotonic clock."""
        if time.monotonic() >= self._at:
            trainer.should_stop = True


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """
    The update of an exponential moving average of weights whose decay rises to `decay`.

    With a fixed decay of 0.999 the random start would still be a third of the average after 1000 steps.
    Source of the rise, (1 + n) / (10 + n): the documentation of TensorFlow's ExponentialMovingAverage.
    """

    def update(average: Tensor, current: Tensor, updates: Tensor | int) -> Tensor:
        count = float(updates)
        return average.lerp(current, 1 - min(decay, (1 + count) / (10 + count)))

    return update


def fit(
    config: Config,
    data: DataSet,
    folder: Path,
    *,
    resume: bool = False,
    max_minutes: float | None = None,
    accelerator: str = "auto",
) -> Run:
    """
    Train all stages in turn; each starts from the best weights of the one before.

    With `resume`, stages that are finished are taken from their checkpoints and the one that was interrupted goes on
    where its last whole epoch ended. Raises RunError.
    """
    if accelerator == "gpu" and not torch.cuda.is_available():
        raise RunError("there is no GPU here that torch can use; --accelerator auto takes what there is")
    if not resume:
        start(config, data, folder)
    elif read_config(folder) != config:
        raise RunError(f"{folder}: the configuration differs from the one that the run was started with")
    check_data(folder, data)
    network = build_network(config, data.input.shape)
    if config.network.architecture == "conv":
        _lay_out(network, torch.channels_last)  # twice as fast on a CPU
    deadline = time.monotonic() + 60 * max_minutes if max_minutes else float("inf")
    done = []
    steps_per_epoch = -(-len(data.train) // config.optimisation.batch_size)
    for stage in stages(network, config, steps_per_epoch, data.input.value_range):
        _fit_stage(stage, data, folder, deadline, accelerator)
        done.append(stage)
    _lay_out(network, torch.contiguous_format)
    return finish(config, data, folder, network, done)


def _fit_stage(stage: Stage, data: DataSet, run: Path, deadline: float, accelerator: str) -> None:
    plan = stage.plan
    folder = run / f"{plan.index}-{plan.name}"
    last, best = folder / "last.ckpt", folder / "best.ckpt"
    if not _has_ended(last, plan.epochs):
        _forget_later_stages(run, plan.index)
        options = stage.config.optimisation
        with _quiet_lightning():
            trainer = lightning.Trainer(
                accelerator=accelerator,
                devices=1,
                max_epochs=plan.epochs,
                precision=options.precision,
                gradient_clip_val=options.gradient_clip,
                callbacks=_callbacks(stage, folder, deadline),
                logger=TensorBoardLogger(run, name="tensorboard", version=folder.name),
                default_root_dir=folder,
                num_sanity_val_steps=0,
                enable_progress_bar=sys.stderr.isatty(),
                enable_model_summary=False,
            )
        seed = options.seed + plan.index
        loaders = (
            batches(data.train, options.batch_size, seed),
            batches(data.validation, 4 * options.batch_size, seed=None),
        )
        try:
            with _quiet_lightning():
                trainer.fit(stage, *loaders, ckpt_path=last if last.exists() else None, weights_only=True)
        except SystemExit as exit_:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from exit_
    checkpoint = torch.load(best, weights_only=True, map_location="cpu")
    stage.load_state_dict(checkpoint["state_dict"])
    ended = torch.load(last, weights_only=True, map_location="cpu")
    stage.history, stage.seconds = ended["history"], ended["seconds"]
    for record in stage.history:
        if not all(map(math.isfinite, record.values())):
            raise RunError(
                f"{plan.name}: the loss was not finite after epoch {record['epoch']:.0f}; "
                "a smaller learning_rate or gradient_clip may help"
            )
    stage.to("cpu")


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning advises worker processes for data that is in memory, and its own dependencies' deprecations."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _has_ended(last: Path, epochs: int) -> bool:
    """Whether a stage has done all its epochs or was stopped early, by its last checkpoint."""
    if not last.exists():
        return False
    checkpoint = torch.load(last, weights_only=True, map_location="cpu")
    states = [state for name, state in checkpoint["callbacks"].items() if name.startswith("EarlyStopping")]
    return len(checkpoint["history"]) >= epochs or any(state["stopped_epoch"] for state in states)


def _forget_later_stages(run: Path, index: int) -> None:
    """Remove what a run that ran out of time trained on top of a stage that now goes on."""
    unfinish(run)
    for folder in run.glob("[0-9]*-*"):
        if int(folder.name.partition("-")[0]) > index:
            shutil.rmtree(folder)


def _callbacks(stage: Stage, folder: Path, deadline: float) -> list[Callback]:
    options = stage.config.optimisation
    monitored: dict[str, Any] = {"monitor": "validation/loss", "mode": "min"}
    saved: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    callbacks: list[Callback] = [
        EarlyStopping(patience=options.patience, check_on_train_epoch_end=True, **monitored),
        Deadline(deadline),
        Checkpoint(folder, filename="best", **saved, **monitored),
        Checkpoint(folder, filename="last", **saved),  # save_last of the one above saves only with a new best
    ]
    if options.ema_decay:
        callbacks.insert(0, WeightAveraging(avg_fn=moving_average(options.ema_decay)))
    if sys.stderr.isatty():
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    return callbacks


def _lay_out(network: Network, memory_format: torch.memory_format) -> None:
    """Order the weights of the convolutions in memory."""
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=memory_format)
