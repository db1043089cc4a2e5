"""Train the stages of a run under Lightning's Trainer, and resume them."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback

from training.choices.choose import settle
from training.config import Config, OptimisationConfig, settled
from training.data.dataset import DataSet
from training.errors import RunError
from training.fitting.batches import Batches
from training.fitting.beginning import begin_correction, held_out_groups, keep_best, place_shortcut, save_beginning
from training.fitting.cross_validation import CrossValidation, all_rows, cross_validate
from training.fitting.denoising import plan_denoiser
from training.fitting.devices import choose_device, order_weights, train_only
from training.fitting.lightning_trainer import build_trainer, checkpoints, early_stopping, quiet_lightning
from training.fitting.neighbours import nearest_neighbours
from training.fitting.pair_stages import WholeNetwork, plan_stages
from training.fitting.ranks import on_first_rank, rank, sum_over_ranks, world
from training.fitting.runs import (
    Run,
    check_data,
    discard_checkpoints,
    finish,
    is_complete,
    load_run,
    read_config,
    start,
    unfinish,
)
from training.fitting.stages import Stage, StagePlan
from training.fitting.threads import use_threads
from training.networks.base import Network
from training.networks.build import build_network
from training.preprocessing import Preprocessor, fit_preprocessing


def fit(
    config: Config,
    data: DataSet,
    folder: Path,
    *,
    resume: bool = False,
    max_minutes: float | None = None,
    accelerator: str = "auto",
    threads: int | None = None,
) -> Run:
    """
    Train all stages in turn; each starts from the best weights of the previous one.

    The data decide what is `auto`. With `max_minutes`, the stages share the time, and their schedules end with it.
    `resume` continues after the last complete epoch. Without `threads`, the work and the machine decide. Under torchrun
    each process computes its share of every batch, and only rank 0 writes. Checkpoints are kept only of a run that
    max_minutes cut short. Raises RunError.
    """
    deadline, device = time.monotonic() + 60 * (max_minutes or math.inf), choose_device(accelerator)
    config = settle(config, data).config
    preprocessing = fit_preprocessing(config, data)
    network = build_network(config, data.input, len(data.classes))
    on_first_rank(lambda: _open(config, data, folder, resume))
    if resume and is_complete(folder):
        return load_run(folder, data)
    if device.type == "cpu":
        use_threads(threads, network, tuple(data.input.shape), settled(config.optimisation.batch_size), folder)
    fitter = _Fitter(config, preprocessing, folder, accelerator, device, deadline)
    stages = fitter.fit(network, data)
    cut_short = any(stage.cut_short for stage in stages)
    order_weights(network, torch.contiguous_format)
    run = on_first_rank(lambda: finish(config, data, folder, network, preprocessing, stages, cut_short=cut_short))
    sum_over_ranks([0.0])  # every process has read the checkpoints
    if not cut_short:
        on_first_rank(lambda: discard_checkpoints(folder))
    return run or load_run(folder, data)


def share_of_time(deadline: float, epochs: Sequence[int]) -> float:
    """Return the monotonic time at which the first of some stages ends, if they share the time by their epochs."""
    if math.isinf(deadline):
        return deadline
    now = time.monotonic()
    return now + max(0.0, deadline - now) * epochs[0] / sum(epochs)


def _training_batches(data: DataSet, options: OptimisationConfig, seed: int | None, **process: Any) -> Batches:
    batch_size, passes = settled(options.batch_size), settled(options.passes)
    return Batches(data.train, batch_size, seed, passes=passes, **process)


def _open(config: Config, data: DataSet, folder: Path, resume: bool) -> None:
    if not resume:
        start(config, data, folder)
    elif read_config(folder) != config:
        raise RunError(f"{folder}: the configuration differs from the one that the run was started with")
    check_data(folder, data)


@dataclass(frozen=True)
class _Fitter:
    """Trains the stages of one run."""

    config: Config
    preprocessing: Preprocessor
    folder: Path
    accelerator: str
    device: torch.device
    deadline: float

    def fit(self, network: Network, data: DataSet) -> list[Stage]:
        """Train a network, and return its stages: with all rows after cross-validation, or with the training part."""
        crossed = self.cross_validate(data) if settled(self.config.optimisation.folds) else None
        seen = all_rows(data) if crossed else data
        place_shortcut(network, self.preprocessing, self.config, data, whole=crossed is not None)
        stages = self.plan(network, seen)
        order_weights(network, torch.channels_last)  # convolutions are twice as fast on a CPU
        if crossed:
            self.fit_all_rows(stages[0], seen, crossed)
        else:
            self.fit_stages(stages, data)
        return stages

    def plan(self, network: Network, data: DataSet) -> list[Stage]:
        """Return all stages of a run, the denoiser's last."""
        steps_per_epoch = len(_training_batches(data, self.config.optimisation, None, world=world()))
        stages = plan_stages(network, self.preprocessing, self.config, steps_per_epoch, data.input.value_range)
        return stages + plan_denoiser(network, self.preprocessing, self.config, data, len(stages))

    def fit_stages(self, stages: Sequence[Stage], data: DataSet) -> None:
        """Train the stages in turn; each keeps the weights that are best on the validation part."""
        for index, stage in enumerate(stages):
            stage.deadline = share_of_time(self.deadline, [stage.plan.epochs for stage in stages[index:]])
            self._fit_stage(stage, data)

    def cross_validate(self, data: DataSet) -> CrossValidation:
        """Choose the number of epochs."""
        return cross_validate(self.config, data, self.folder, self._stage_of_fold, self._fit_fold)

    def _stage_of_fold(self, fold: DataSet) -> WholeNetwork:
        network = build_network(self.config, fold.input, len(fold.classes))
        place_shortcut(network, self.preprocessing, self.config, fold)
        (stage,) = self.plan(network, fold)
        assert isinstance(stage, WholeNetwork)
        return stage

    def _fit_fold(self, stage: Stage, fold: DataSet, callbacks: Sequence[Callback], trainings: int) -> None:
        """Train on a fold, with the share of the time of one of so many trainings, and note if it was cut short."""
        stage.deadline = share_of_time(self.deadline, [stage.plan.epochs] * trainings)
        begin_correction(stage)
        stopping = early_stopping(stage)
        with quiet_lightning():
            trainer = build_trainer(stage, self.accelerator, self.device, [stopping, *callbacks], None)
            trainer.fit(stage, *self._loaders(stage, fold))
        stage.cut_short = len(stage.history) < stage.plan.epochs and not stopping.stopped_epoch

    def fit_all_rows(self, stage: Stage, rows: DataSet, crossed: CrossValidation) -> None:
        """Train on all rows for the number of epochs that cross-validation chose, with the rates of its schedule."""
        if not crossed.epochs:
            begin_correction(stage)
            stage.history, stage.cut_short = list(crossed.history), crossed.cut_short
            return
        stage.plan = replace(stage.plan, epochs=crossed.epochs, schedule_epochs=stage.plan.epochs)
        stage.deadline, stage.held_out = self.deadline, crossed.history
        self._fit_stage(stage, rows)
        stage.cut_short |= crossed.cut_short

    def _loaders(self, stage: Stage, data: DataSet) -> tuple[Batches, Batches | None]:
        """Return the batches of the training part and, unless the stage has records of such, of the validation part."""
        options = stage.config.optimisation
        process: dict[str, Any] = {"device": self.device, "rank": rank(), "world": world()}
        is_pair = isinstance(stage, WholeNetwork)
        neighbours = nearest_neighbours(self.preprocessing, self.config, data) if is_pair else None
        train = _training_batches(data, options, options.seed + stage.plan.index, neighbours=neighbours, **process)
        if stage.held_out:
            return train, None
        return train, Batches(data.validation, 4 * settled(options.batch_size), None, **process)

    def _fit_stage(self, stage: Stage, data: DataSet) -> None:
        """Train a stage and load its best weights."""
        plan, folder = stage.plan, self.folder / f"{stage.plan.index}-{stage.plan.name}"
        first, last, best = folder / "beginning.pt", folder / "last.ckpt", folder / "best.ckpt"
        if not _has_ended(last, plan):
            on_first_rank(lambda: _forget_later_stages(self.folder, plan.index))
            loaders = self._loaders(stage, data)
            begin_correction(stage)
            if not last.exists() and not stage.held_out:
                save_beginning(stage, held_out_groups(data), first)
            train_only(stage.network, stage.trained_parameters())
            callbacks = [*([] if stage.held_out else [early_stopping(stage)]), *checkpoints(stage, folder)]
            with quiet_lightning():
                trainer = build_trainer(stage, self.accelerator, self.device, callbacks, folder)
                trainer.fit(stage, *loaders, ckpt_path=last if last.exists() else None, weights_only=True)
            train_only(stage.network, stage.network.parameters())
        ended = torch.load(last, weights_only=True, map_location="cpu")
        stage.history, stage.seconds = ended["history"], ended["seconds"]
        _check_finite(stage)
        stage.to("cpu")
        if not keep_best(stage, held_out_groups(data), first, best) and isinstance(stage, WholeNetwork):
            place_shortcut(stage.network, stage.preprocessing, stage.config, data, whole=True)
        stage.cut_short = not _has_ended(last, plan)


def _check_finite(stage: Stage) -> None:
    for record in stage.history:
        if not all(map(math.isfinite, record.values())):
            raise RunError(
                f"{stage.plan.name}: the loss was not finite after epoch {record['epoch']:.0f}; "
                "a smaller optimisation.learning_rate or optimisation.gradient_clip may help (--set)"
            )


def _has_ended(last: Path, plan: StagePlan) -> bool:
    """Return whether a stage's last checkpoint is after its last epoch or an early stop. Raises RunError."""
    if not last.exists():
        return False
    checkpoint = torch.load(last, weights_only=True, map_location="cpu")
    epochs = len(checkpoint["history"])
    if checkpoint["global_step"] != epochs * plan.steps_per_epoch:
        raise RunError(
            f"{last}: expected {plan.steps_per_epoch} steps per epoch, found {checkpoint['global_step'] // epochs}; "
            "the run was started with another number of processes"
        )
    states = [state for name, state in checkpoint["callbacks"].items() if name.startswith("EarlyStopping")]
    return epochs >= plan.epochs or any(state["stopped_epoch"] for state in states)


def _forget_later_stages(run: Path, index: int) -> None:
    """Remove the stages that a run out of time trained after a stage that now continues."""
    unfinish(run)
    for folder in run.glob("[0-9]*-*"):
        if int(folder.name.partition("-")[0]) > index:
            shutil.rmtree(folder)
