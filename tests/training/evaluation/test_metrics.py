"""Metrics agree with hand calculations and second sources."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from sklearn.metrics import mean_squared_error, r2_score
from torchmetrics.functional.image import peak_signal_noise_ratio

from training.errors import DataError
from training.evaluation.metrics import (
    MAX_BLOCK_NUMBERS,
    RSquared,
    bce,
    cross_entropy,
    mse,
    psnr,
    squared_errors,
    ssim,
    window_of,
)

Images = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def pair(*shape: int) -> tuple[Images, Images]:
    """Return random outputs and targets in [0, 1] that resemble each other."""
    random = np.random.default_rng(0)
    target = random.random(shape).astype(np.float32)
    return np.clip(target + 0.2 * random.standard_normal(shape), 0, 1).astype(np.float32), target


def test_psnr_is_the_mean_over_samples_and_not_of_the_mean_error() -> None:
    target = np.zeros((2, 1, 1, 4), np.float32)
    output = target.copy()
    output[0], output[1] = 0.1, 0.01
    assert psnr(output, target) == pytest.approx((20 + 40) / 2, rel=1e-5)
    assert mse(output, target) == pytest.approx(mean_squared_error(target.ravel(), output.ravel()))


def test_psnr_equals_torchmetrics() -> None:
    output, target = pair(6, 3, 8, 5)
    tensors = torch.from_numpy(output), torch.from_numpy(target)
    expected = peak_signal_noise_ratio(*tensors, data_range=1.0, reduction="elementwise_mean", dim=(1, 2, 3))
    assert psnr(output, target) == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("channels", "height", "width", "side"), [(1, 28, 28, 7), (3, 9, 12, 7), (1, 6, 10, 5)])
def test_ssim_equals_scikit_images(channels: int, height: int, width: int, side: int) -> None:
    output, target = pair(4, channels, height, width)
    expected = [
        structural_similarity(a, b, win_size=side, data_range=1, channel_axis=0)
        for a, b in zip(output.astype(np.float64), target.astype(np.float64), strict=True)
    ]
    assert window_of(target.shape) == side
    assert ssim(output, target) == pytest.approx(np.mean(expected), rel=1e-9)
    assert ssim(target, target) == pytest.approx(1)


def test_images_too_small_for_a_window_have_no_ssim() -> None:
    assert window_of((5, 1, 2, 9)) is None
    with pytest.raises(ValueError, match="at least 3 x 3"):
        ssim(*pair(2, 1, 2, 2))


def test_bce_equals_torchs_and_its_floor_is_the_targets_entropy() -> None:
    random = np.random.default_rng(0)
    target, output = random.random((2, 5, 1, 3, 3)).astype(np.float32) * 0.9 + 0.05
    expected = torch.nn.functional.binary_cross_entropy(torch.from_numpy(output), torch.from_numpy(target))
    assert bce(output, target) == pytest.approx(expected.item(), rel=1e-5)
    half = np.full((1, 1, 1, 1), 0.5, np.float32)
    assert bce(half, half) == pytest.approx(math.log(2))
    assert bce(output, target) > bce(target, target)


def test_a_certain_but_wrong_output_has_a_finite_bce() -> None:
    assert bce(np.zeros((1, 1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32)) == pytest.approx(-math.log(1e-6))


@pytest.mark.parametrize("value", [-0.01, 1.01])
def test_targets_outside_0_and_1_have_no_cross_entropy(value: float) -> None:
    with pytest.raises(DataError, match=r"in \[0, 1\], got"):
        cross_entropy(np.full((1, 2), 0.5, np.float32), np.array([[0.5, value]], np.float32))


def test_each_of_very_many_samples_has_its_own_error() -> None:
    rows = MAX_BLOCK_NUMBERS // 4 + 3
    output, target = np.zeros((2, rows, 4), np.float32)
    output[-1] = 2
    errors = squared_errors(output, target)
    assert errors.shape == (rows,)
    assert errors.sum() == errors[-1] == 4


def test_r2_equals_scikit_learns_over_columns_that_vary() -> None:
    random = np.random.default_rng(0)
    target = random.standard_normal((50, 4)).astype(np.float32) + np.float32(1000)
    target[:, 2] = 0.1  # constant, and no binary fraction
    output = target + 0.3 * random.standard_normal((50, 4)).astype(np.float32)
    explained = RSquared(4)
    for rows in (slice(0, 7), slice(7, 8), slice(8, 50)):
        explained.add(output[rows], target[rows])
    varying = [0, 1, 3]
    assert explained.mean() == pytest.approx(r2_score(target[:, varying], output[:, varying]), rel=1e-5)


def test_r2_of_columns_that_are_all_constant_is_0() -> None:
    explained = RSquared(2)
    explained.add(np.ones((3, 2), np.float32), np.ones((3, 2), np.float32))
    assert explained.mean() == 0
