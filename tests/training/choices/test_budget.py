"""Every number of rows gets enough steps and not too many, in epochs that are worth a validation."""

from __future__ import annotations

import math

import pytest

from training.choices.budget import (
    STEPS,
    Architecture,
    Effort,
    choose_batch_size,
    choose_denoiser_steps,
    choose_epochs,
    choose_learning_rate,
    choose_passes,
    choose_patience,
    denoiser_rows,
)

ROWS = (50, 400, 401, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 60_000, 200_000, 500_000)


@pytest.mark.parametrize(
    ("rows", "batch_size"),
    [(1, 16), (400, 16), (401, 32), (2_000, 32), (2_001, 64), (10_000, 64), (50_000, 128), (50_001, 256)],
)
def test_batches_of_images_grow_with_the_rows(rows: int, batch_size: int) -> None:
    assert choose_batch_size(rows, "conv") == batch_size


@pytest.mark.parametrize(("rows", "batch_size"), [(1, 16), (400, 16), (401, 64), (1_000, 64), (1_001, 256)])
def test_batches_of_dense_networks_are_larger(rows: int, batch_size: int) -> None:
    assert choose_batch_size(rows, "dense") == batch_size


@pytest.mark.parametrize("architecture", ["conv", "dense"])
@pytest.mark.parametrize("rows", ROWS)
def test_steps_are_within_their_limits(rows: int, architecture: Architecture) -> None:
    """Whole epochs leave a difference of up to half an epoch."""
    batch_size = choose_batch_size(rows, architecture)
    passes = choose_passes(rows, batch_size)
    epoch = passes * math.ceil(rows / batch_size)
    steps = epoch * choose_epochs(rows, batch_size, passes, architecture, "normal")
    least, most = STEPS[architecture]
    assert least - epoch / 2 <= steps <= most + epoch / 2


@pytest.mark.parametrize("rows", ROWS)
def test_an_epoch_has_50_steps_or_one_pass_more_than_it_needs(rows: int) -> None:
    batch_size = choose_batch_size(rows, "conv")
    steps, passes = math.ceil(rows / batch_size), choose_passes(rows, batch_size)
    assert steps * passes >= 50
    assert passes == 1 or steps * (passes - 1) < 50


@pytest.mark.parametrize(
    ("rows", "batch_size", "passes", "architecture", "epochs"),
    [
        (50, 16, 13, "conv", 48),  # 2500 steps in epochs of 13 * 4
        (50, 16, 1, "dense", 2500),  # 10 000 steps in epochs of 4
        (10_000, 64, 1, "conv", 40),  # 40 passes over the rows are 6250 steps, in epochs of 157
        (10_000, 64, 1, "dense", 80),
        (500_000, 256, 1, "conv", 6),  # 12000 steps in epochs of 1954
    ],
)
def test_epochs_make_up_the_steps(
    rows: int, batch_size: int, passes: int, architecture: Architecture, epochs: int
) -> None:
    assert choose_epochs(rows, batch_size, passes, architecture, "normal") == epochs


def test_effort_multiplies_the_epochs_and_leaves_at_least_one() -> None:
    assert choose_epochs(10_000, 64, 1, "conv", "quick") == 8
    assert choose_epochs(10_000, 64, 1, "conv", "thorough") == 159
    assert choose_epochs(5_000_000, 256, 1, "conv", "quick") == 1


def test_the_learning_rate_grows_with_the_square_root_of_the_batch() -> None:
    assert choose_learning_rate(64, "conv") == 1e-3
    assert choose_learning_rate(256, "conv") == 2e-3
    assert choose_learning_rate(16, "dense") == 1.5e-3
    assert choose_learning_rate(128, "conv") == 1.4e-3  # 1.41421...e-3


@pytest.mark.parametrize(("epochs", "patience"), [(1, 10), (33, 10), (34, 11), (100, 30)])
def test_patience_is_30_percent_of_the_epochs_or_10(epochs: int, patience: int) -> None:
    assert choose_patience(epochs) == patience


@pytest.mark.parametrize(
    ("shape", "rows"),
    [((1, 8, 8), 64), ((1, 28, 28), 20), ((3, 32, 32), 16), ((3, 64, 64), 4), ((1, 256, 256), 2), ((10,), 200)],
)
def test_large_images_have_fewer_rows_in_a_step_of_the_denoiser(shape: tuple[int, ...], rows: int) -> None:
    assert denoiser_rows(shape, 200) == rows
    assert denoiser_rows(shape, 1) == 1


@pytest.mark.parametrize(
    ("rows", "effort", "steps"),
    [
        (50, "normal", 4_000),
        (20_000, "normal", 8_000),  # 8 passes in steps of 20 rows
        (500_000, "normal", 30_000),
        (500_000, "quick", 4_000),
        (500_000, "thorough", 120_000),
    ],
)
def test_the_denoiser_gets_steps_by_the_rows_and_the_effort(rows: int, effort: Effort, steps: int) -> None:
    assert choose_denoiser_steps(rows, 20, effort) == steps
