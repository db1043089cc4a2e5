"""Errors of denoised test samples, beside those of denoisers that are not networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from app.arrays import Samples
from app.inputs import ImageInput, ValueRange
from app.manifest import Measurement
from training.config import NoiseKind
from training.data.dataset import Split
from training.errors import InvalidConfiguration
from training.evaluation.baselines import (
    TV_WEIGHTS,
    WAVELET_SIGMAS,
    RidgeDenoiser,
    best_strength,
    blur_denoiser,
    median_denoiser,
    total_variation_denoiser,
    wavelet_denoiser,
)
from training.evaluation.limits import RowLimit
from training.evaluation.metrics import bce, mse, psnr, ssim, window_of
from training.evaluation.subject import Subject
from training.evaluation.units import from_x, in_unit_interval, to_unit, to_x

NOISE_SEED = 20_101
"""Seed of the test rows' noise, so that all models and methods get the same; the training rows' seed is one larger."""

Methods = dict[str, Callable[[], Samples]]
"""Functions that return denoised images, by the prefix of their measurements; called one by one to save memory."""


@dataclass(frozen=True)
class Noise:
    """One kind and amount of noise on a subject's samples."""

    subject: Subject
    kind: NoiseKind
    amount: float

    def corrupt(self, samples: Samples, seed: int) -> Samples:
        """
        Return noisy samples in the user's units.

        The noise is the service's if there is a value range; otherwise it is added to the preprocessed columns.
        Raises InvalidConfiguration for salt-and-pepper without a range.
        """
        manifest = self.subject.manifest
        if manifest.input.value_range:
            return self.subject.model.corrupt(samples, self.kind, self.amount, seed)
        if self.kind == "salt-and-pepper":
            raise InvalidConfiguration("salt-and-pepper noise sets numbers to the ends of a value range; there is none")
        random, x = np.random.default_rng(seed), to_x(samples, manifest)
        if self.kind == "gaussian":
            x = x + np.float32(self.amount) * random.standard_normal(x.shape, dtype=np.float32)
        else:
            x = np.where(random.random(x.shape, dtype=np.float32) < self.amount, np.float32(0), x)
        return from_x(x, manifest)

    def training_rows(self, limit: RowLimit) -> tuple[Samples, Samples]:
        """Return training rows in the user's units, noisy and clean."""
        clean = self.subject.training_rows(limit).in_users_units()
        return self.corrupt(clean, NOISE_SEED + 1), clean

    def describe(self) -> str:
        """Return a description for the protocol."""
        if self.kind == "gaussian" and self.subject.manifest.input.value_range:
            level = f"Gaussian noise of standard deviation {self.amount:g} (of the value range), clipped to it"
        elif self.kind == "gaussian":
            level = f"Gaussian noise of standard deviation {self.amount:g} on the preprocessed columns"
        else:
            level = f"{self.kind} noise on a share of {self.amount:g} of the numbers"
        return f"{level}, seed {NOISE_SEED}"


def measure_denoising(subject: Subject, kind: NoiseKind, amount: float) -> Measurement:
    """Return errors of the denoised test part beside those of other methods, for one kind and amount of noise."""
    noise = Noise(subject, kind, amount)
    test = subject.data.test.take(slice(subject.row_count(subject.limits.denoised)))
    clean = test.in_users_units()
    noisy = noise.corrupt(clean, NOISE_SEED)
    denoised = subject.denoise_split(Split(noisy, test.labels, 1.0))
    output, target = to_x(denoised, subject.manifest, clipped=False), to_x(clean, subject.manifest)
    values = {"noise_amount": amount, "mse": mse(output, target)}
    if in_unit_interval(subject.manifest):
        values["bce"] = bce(output, target)
    if isinstance(subject.manifest.input, ImageInput):
        others, notes = _measure_images(noise, denoised, noisy, clean)
    else:
        others, notes = _measure_vectors(noise, noisy, clean)
    rows = f"errors of x, the preprocessed samples, on {len(test)} test rows"
    protocol = "; ".join([noise.describe(), rows, *notes])
    return Measurement(data_set=subject.description, protocol=protocol, values=values | others)


def _measure_images(
    noise: Noise, denoised: Samples, noisy: Samples, clean: Samples
) -> tuple[dict[str, float], list[str]]:
    """Return PSNR and SSIM of the model and of each other method, on images mapped to [0, 1], and notes on them."""
    value_range = noise.subject.manifest.input.value_range
    assert value_range is not None
    denoised, noisy, clean = (to_unit(samples, value_range) for samples in (denoised, noisy, clean))
    methods: Methods = {
        "": lambda: denoised,
        "noisy_": lambda: noisy,
        "median_": lambda: median_denoiser(noisy),
        "blur_": lambda: blur_denoiser(noisy),
    }
    notes = ["PSNR in dB, mean over samples; median: 3x3; blur: Gaussian, 1 pixel"]
    if _fits_ridge(noise.subject):
        ridge, note = _fit_ridge(noise, partial(to_unit, value_range=value_range), clipped=True)
        methods["ridge_"] = lambda: ridge.denoise(noisy)
        notes.append(note)
    slow_methods, note = _tuned_methods(noise, noisy, value_range) if noise.subject.has_training_rows else ({}, "")
    values = {}
    for prefix, method in (methods | slow_methods).items():
        output = method()
        values[f"{prefix}psnr"] = psnr(output, clean[: len(output)])
        if window_of(clean.shape):
            values[f"{prefix}ssim"] = ssim(output, clean[: len(output)])
    return values, [*notes, note] if note else notes


def _tuned_methods(noise: Noise, noisy: Samples, value_range: ValueRange) -> tuple[Methods, str]:
    """Return the slow denoisers, with strengths chosen on training rows, and a note on them."""
    subject = noise.subject
    rows = min(len(noisy), subject.row_count(subject.limits.slow_denoiser))
    noisy_train, clean_train = (to_unit(samples, value_range) for samples in noise.training_rows(subject.limits.tuning))
    weight = best_strength(total_variation_denoiser, noisy_train, clean_train, TV_WEIGHTS)
    sigma = best_strength(wavelet_denoiser, noisy_train, clean_train, WAVELET_SIGMAS)
    note = (
        f"tv: total variation of weight {weight:g}, wavelet: BayesShrink of sigma {sigma:g}, both chosen on "
        f"{len(noisy_train)} noisy training rows and measured on the first {rows} test rows"
    )
    return {
        "tv_": lambda: total_variation_denoiser(noisy[:rows], weight),
        "wavelet_": lambda: wavelet_denoiser(noisy[:rows], sigma),
    }, note


def _measure_vectors(noise: Noise, noisy: Samples, clean: Samples) -> tuple[dict[str, float], list[str]]:
    """Return the mean squared errors of the noisy rows and of the ridge denoiser, and notes on them."""
    manifest = noise.subject.manifest
    noisy, clean = to_x(noisy, manifest), to_x(clean, manifest)
    values, notes = {"noisy_mse": mse(noisy, clean)}, []
    if _fits_ridge(noise.subject):
        ridge, note = _fit_ridge(noise, partial(to_x, manifest=manifest), clipped=in_unit_interval(manifest))
        values["ridge_mse"] = mse(ridge.denoise(noisy), clean)
        notes.append(note)
    return values, notes


def _fits_ridge(subject: Subject) -> bool:
    return subject.has_training_rows and subject.manifest.input_size <= subject.limits.max_ridge_features


def _fit_ridge(noise: Noise, convert: Callable[[Samples], Samples], clipped: bool) -> tuple[RidgeDenoiser, str]:
    """Return a linear denoiser of converted samples, and a note on it."""
    noisy, clean = (convert(samples) for samples in noise.training_rows(noise.subject.limits.ridge))
    return RidgeDenoiser.fit(noisy, clean, clipped), f"ridge: linear, fitted on {len(noisy)} noisy training rows"
