"""Denoising that does harm is named, with the level and the numbers; denoising that helps is not."""

from __future__ import annotations

import pytest

from app.manifest import Measurement
from training.evaluation.harm import denoising_alarms

GOOD = {"noise_amount": 0.1, "psnr": 30.04, "noisy_psnr": 20.3, "tv_psnr": 25.12, "blur_psnr": 18.0}


def measured(values: dict[str, float], kind: str = "Gaussian") -> Measurement:
    """Return a measurement of denoised images, whose protocol begins with the kind of noise."""
    return Measurement(data_set="any", protocol=f"{kind} noise of some amount; any", values=values)


def test_a_denoiser_that_beats_everything_raises_no_alarm() -> None:
    assert denoising_alarms([measured(GOOD), measured({"mse": 0.1, "pca_mse": 0.01})]) == []


@pytest.mark.parametrize(
    ("psnr", "sentence"),
    [
        (19.93, "19.9 dB, than the 20.3 dB of the noisy input and the 25.1 dB of total variation"),
        (21.0, "21.0 dB, than the 25.1 dB of total variation"),
    ],
)
def test_an_answer_worse_than_the_input_or_the_best_filter_raises_an_alarm(psnr: float, sentence: str) -> None:
    expected = f"denoising Gaussian noise of 0.1: the answer is worse, with PSNR {sentence}"
    assert denoising_alarms([measured({**GOOD, "psnr": psnr})]) == [expected]


def test_each_level_and_kind_has_its_own_alarm() -> None:
    bad = [
        measured({**GOOD, "noise_amount": amount, "psnr": 9}, kind)
        for kind, amount in (("masking", 0.25), ("salt-and-pepper", 0.5))
    ]
    found = denoising_alarms([bad[0], measured(GOOD), bad[1]])
    assert [sentence.partition(":")[0] for sentence in found] == [
        "denoising masking noise of 0.25",
        "denoising salt-and-pepper noise of 0.5",
    ]


def test_tables_are_compared_by_their_squared_error() -> None:
    values = {"noise_amount": 0.5, "mse": 0.2, "noisy_mse": 0.25}
    assert denoising_alarms([measured(values)]) == []
    assert denoising_alarms([measured({**values, "ridge_mse": 0.1})]) == [
        "denoising Gaussian noise of 0.5: the answer is worse, with MSE 0.2, than the 0.1 of a linear ridge denoiser"
    ]
