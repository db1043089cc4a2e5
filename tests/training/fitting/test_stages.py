"""A stage's learning rate ends with its time, and its history survives in checkpoints."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from tests.helpers.configurations import bundled_config
from tests.helpers.training_data import data_of
from training.choices.choose import settle
from training.fitting.pair_stages import plan_stages
from training.fitting.schedules import FINAL_RATE
from training.fitting.stages import Stage
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing

RATE = 0.004


def stage_of(steps: int = 20) -> Stage:
    """Return the stage of an autoencoder of a table, for one epoch of some steps."""
    data = data_of(np.random.default_rng(0).normal(size=(40, 3)))
    config = settle(bundled_config("table-ae", epochs=1, learning_rate=RATE), data).config
    network = build_network(config, data.input)
    [stage] = plan_stages(network, fit_preprocessing(config, data), config, steps, None)
    return stage


def rates(stage: Stage, steps: int) -> list[float]:
    """Return the learning rate at each step."""
    schedule: Any = stage.configure_optimizers()["lr_scheduler"]["scheduler"]
    seen = []
    for _ in range(steps):
        seen.append(schedule.get_last_lr()[0])
        schedule.optimizer.step()
        schedule.step()
    return seen


def test_the_learning_rate_falls_with_the_steps() -> None:
    seen = rates(stage_of(), 21)
    assert seen[0] == pytest.approx(RATE)
    assert seen[1:] == sorted(seen[1:], reverse=True)
    assert seen[20] == pytest.approx(FINAL_RATE * RATE)


def test_the_learning_rate_is_at_its_end_when_the_time_is() -> None:
    stage = stage_of()
    stage.on_fit_start()
    stage.deadline = time.monotonic()
    assert rates(stage, 3) == pytest.approx([FINAL_RATE * RATE] * 3)


def test_a_time_far_off_changes_nothing() -> None:
    stage = stage_of()
    stage.on_fit_start()
    stage.deadline = time.monotonic() + 1e6
    assert rates(stage, 20) == pytest.approx(rates(stage_of(), 20))


def test_history_and_time_are_part_of_checkpoints() -> None:
    saved, resumed, checkpoint = stage_of(), stage_of(), dict[str, Any]()
    saved.history, saved.seconds = [{"epoch": 1.0, "validation/loss": 3.0}], 50.0
    saved.on_save_checkpoint(checkpoint)
    resumed.on_load_checkpoint(checkpoint)
    assert resumed.history == saved.history
    assert 50 <= resumed.seconds < 60
