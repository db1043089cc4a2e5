"""Train the stages of a run under Lightning's Trainer, and resume them."""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.strategies import DDPStrategy

from training.choices.choose import settle
from training.config import Config, OptimisationConfig, settled
from training.data.dataset import DataSet
from training.data.storage import Integers
from training.errors import RunError
from training.fitting.batches import Batches
from training.fitting.beginning import begin_correction, held_out_groups, keep_best, place_shortcut, save_beginning
from training.fitting.callbacks import Checkpoint, Deadline, EarlyStoppingAfterWarmup, FiniteLoss, moving_average
from training.fitting.denoising import plan_denoiser
from training.fitting.devices import choose_device, order_weights, train_only
from training.fitting.neighbours import nearest_neighbours
from training.fitting.pair_stages import WholeNetwork, plan_stages
from training.fitting.progress import EpochBar
from training.fitting.ranks import (
    is_first_rank,
    local_world,
    on_first_rank,
    rank,
    sum_over_ranks,
    world,
)
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
from training.quiet import only_errors


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
    place_shortcut(network, preprocessing, config, data)
    if device.type == "cpu":
        use_threads(threads, network, tuple(data.input.shape), settled(config.optimisation.batch_size), folder)
    stages, neighbours = _plan(network, preprocessing, config, data), nearest_neighbours(preprocessing, config, data)
    order_weights(network, torch.channels_last)  # convolutions are twice as fast on a CPU
    for index, stage in enumerate(stages):
        stage.deadline = share_of_time(deadline, [stage.plan.epochs for stage in stages[index:]])
        _fit_stage(stage, data, folder, accelerator, device, neighbours if isinstance(stage, WholeNetwork) else None)
    cut_short = any(stage.cut_short for stage in stages)
    order_weights(network, torch.contiguous_format)
    run = on_first_rank(lambda: finish(config, data, folder, network, preprocessing, stages, cut_short=cut_short))
    sum_over_ranks([0.0])  # every process has read the checkpoints
    if not cut_short:
        on_first_rank(lambda: discard_checkpoints(folder))
    return run or load_run(folder, data)


def _plan(network: Network, preprocessing: Preprocessor, config: Config, data: DataSet) -> list[Stage]:
    """Return all stages of a run, the denoiser's last."""
    steps_per_epoch = len(_training_batches(data, config.optimisation, None, world=world()))
    stages = plan_stages(network, preprocessing, config, steps_per_epoch, data.input.value_range)
    return stages + plan_denoiser(network, preprocessing, config, data, len(stages))


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


def _fit_stage(
    stage: Stage, data: DataSet, run: Path, accelerator: str, device: torch.device, neighbours: Integers | None
) -> None:
    """Train a stage and load its best weights."""
    plan, options = stage.plan, stage.config.optimisation
    folder = run / f"{plan.index}-{plan.name}"
    first, last, best = folder / "beginning.pt", folder / "last.ckpt", folder / "best.ckpt"
    if not _has_ended(last, plan):
        on_first_rank(lambda: _forget_later_stages(run, plan.index))
        process: dict[str, Any] = {"device": device, "rank": rank(), "world": world()}
        loaders = (
            _training_batches(data, options, options.seed + plan.index, neighbours=neighbours, **process),
            Batches(data.validation, 4 * settled(options.batch_size), None, **process),
        )
        begin_correction(stage)
        if not last.exists():
            save_beginning(stage, held_out_groups(data), first)
        train_only(stage.network, stage.trained_parameters())
        try:
            with _quiet_lightning():
                trainer = _trainer(stage, folder, accelerator, device)
                trainer.fit(stage, *loaders, ckpt_path=last if last.exists() else None, weights_only=True)
        except SystemExit as exit_:  # which Lightning raises on Ctrl-C
            raise KeyboardInterrupt from exit_
        train_only(stage.network, stage.network.parameters())
    ended = torch.load(last, weights_only=True, map_location="cpu")
    stage.history, stage.seconds = ended["history"], ended["seconds"]
    for record in stage.history:
        if not all(map(math.isfinite, record.values())):
            raise RunError(
                f"{plan.name}: the loss was not finite after epoch {record['epoch']:.0f}; "
                "a smaller optimisation.learning_rate or optimisation.gradient_clip may help (--set)"
            )
    stage.to("cpu")
    if not keep_best(stage, held_out_groups(data), first, best) and isinstance(stage, WholeNetwork):
        place_shortcut(stage.network, stage.preprocessing, stage.config, data, whole=True)
    stage.cut_short = not _has_ended(last, plan)


def _trainer(stage: Stage, folder: Path, accelerator: str, device: torch.device) -> lightning.Trainer:
    """Return Lightning's trainer of a stage, on one device or on one device per process."""
    options = stage.config.optimisation
    return lightning.Trainer(
        accelerator=accelerator if world() == 1 else device.type,
        devices=local_world(),
        num_nodes=world() // local_world(),
        strategy="auto" if world() == 1 else DDPStrategy(broadcast_buffers=False),
        use_distributed_sampler=False,
        max_epochs=stage.plan.epochs,
        precision=settled(options.precision),
        gradient_clip_val=options.gradient_clip,
        callbacks=_callbacks(stage, folder, device),
        logger=TensorBoardLogger(folder.parent, name="tensorboard", version=folder.name),
        default_root_dir=folder,
        num_sanity_val_steps=0,
        enable_progress_bar=_shows_progress(),
        enable_model_summary=False,
    )


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Suppress advice about worker processes, which data in memory do not need, and deprecations in dependencies."""
    loggers = ("lightning.pytorch", "lightning.pytorch.utilities.rank_zero")
    with only_errors(*loggers), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"lightning\.")
        yield


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


def _callbacks(stage: Stage, folder: Path, device: torch.device) -> list[Callback]:
    options = stage.config.optimisation
    monitored: dict[str, Any] = {"monitor": stage.criterion, "mode": "min"}
    saved: dict[str, Any] = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    callbacks: list[Callback] = [
        FiniteLoss(stage.plan.name),
        EarlyStoppingAfterWarmup(stage.warmup_epochs, patience=settled(options.patience), **monitored),
        Deadline(stage.deadline),
        Checkpoint(folder, filename="best", **saved, **monitored),
        Checkpoint(folder, filename="last", **saved),  # save_last of `best` would save only with a new best
    ]
    if options.ema_decay:
        # By default the average is on the CPU and includes the buffers: the preprocessing's bounds, some infinite.
        average_device = device if device.type == "cuda" else None
        average = moving_average(options.ema_decay)
        callbacks.insert(0, WeightAveraging(average_device, use_buffers=False, multi_avg_fn=average))
    if _shows_progress():
        callbacks.append(EpochBar(console_kwargs={"stderr": True}))
    return callbacks


def _shows_progress() -> bool:
    return sys.stderr.isatty() and is_first_rank()
