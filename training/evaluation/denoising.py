"""How well noise is taken away, beside what does so without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from app.manifest import ImageInput, Measurement
from training.config import NoiseKind
from training.data.dataset import Split
from training.errors import InvalidConfiguration
from training.evaluation.baselines import (
    EXACT_FEATURES,
    TV_WEIGHTS,
    WAVELET_SIGMAS,
    RidgeDenoiser,
    best_strength,
    blur_denoiser,
    median_denoiser,
    total_variation_denoiser,
    wavelet_denoiser,
)
from training.evaluation.metrics import bce, mse, psnr, ssim, window_of
from training.evaluation.subject import Subject
from training.evaluation.units import from_x, in_unit_interval, to_unit, to_x

Array = npt.NDArray[np.float32]

NOISE_SEED = 20_101
"""Of the test part's noise, so that every model and method is given the same; the training rows' is one more."""
TEST_NUMBERS = 2**26
"""Numbers of the test rows that are denoised at most: the noise of all is drawn at once."""
RIDGE_ROWS = 20_000
"""Training rows that the ridge denoiser is fitted on at most: more change its third digit."""
SLOW_ROWS, SLOW_NUMBERS = 1_000, 2**22
"""Test rows, the first ones, that the methods are measured on that take milliseconds for each image."""
TUNING_ROWS, TUNING_NUMBERS = 200, 2**20
"""Training rows that the strengths of those methods are chosen on."""


def measure_denoising(subject: Subject, kind: NoiseKind, amount: float) -> Measurement:
    """Errors of the denoised test part beside those of other methods, for one kind and amount of noise."""
    test = subject.data.test
    test = test.take(slice(subject.rows_within(len(test), TEST_NUMBERS)))
    clean = test.in_users_units()
    noisy = corrupted(subject, clean, kind, amount, NOISE_SEED)
    denoised = subject.reconstruct_split(Split(noisy, test.labels, 1.0))
    output, target = to_x(denoised, subject.manifest, clipped=False), to_x(clean, subject.manifest)
    values = {"noise_amount": amount, "mse": mse(output, target)}
    if in_unit_interval(subject.manifest):
        values["bce"] = bce(output, target)
    said = [_describe_noise(subject, kind, amount), f"errors of x, the preprocessed samples, on {len(test)} test rows"]
    measure = _against_images if isinstance(subject.manifest.input, ImageInput) else _against_vectors
    for name, value in measure(subject, kind, amount, (denoised, noisy, clean), said):
        values[name] = value
    return Measurement(data_set=subject.description, protocol="; ".join(said), values=values)


def corrupted(subject: Subject, samples: Array, kind: NoiseKind, amount: float, seed: int) -> Array:
    """
    Noisy samples in the user's units: the service's noise; where there is no value range, noise of the preprocessed
    columns. Raises InvalidConfiguration for salt-and-pepper without a range.
    """
    if subject.manifest.input.value_range:
        return subject.model.corrupt(samples, kind, amount, seed)
    random, x = np.random.default_rng(seed), to_x(samples, subject.manifest)
    if kind == "salt-and-pepper":
        raise InvalidConfiguration("salt-and-pepper noise sets numbers to the ends of a value range; there is none")
    if kind == "gaussian":
        x = x + np.float32(amount) * random.standard_normal(x.shape, dtype=np.float32)
    else:
        x = np.where(random.random(x.shape, dtype=np.float32) < amount, np.float32(0), x)
    return from_x(x, subject.manifest)


def _describe_noise(subject: Subject, kind: NoiseKind, amount: float) -> str:
    if kind == "gaussian" and subject.manifest.input.value_range:
        level = f"Gaussian noise of standard deviation {amount:g} (of the value range), clipped to it"
    elif kind == "gaussian":
        level = f"Gaussian noise of standard deviation {amount:g} on the preprocessed columns"
    else:
        level = f"{kind} noise on a share of {amount:g} of the numbers"
    return f"{level}, seed {NOISE_SEED}"


def _against_images(
    subject: Subject, kind: NoiseKind, amount: float, images: tuple[Array, Array, Array], said: list[str]
) -> Iterator[tuple[str, float]]:
    """PSNR and SSIM of each method, on images mapped to [0, 1]; what was done is added to `said`."""
    value_range = subject.manifest.input.value_range
    assert value_range is not None
    denoised, noisy, clean = (to_unit(samples, value_range) for samples in images)
    methods: dict[str, Callable[[], Array]] = {
        "": lambda: denoised,
        "noisy_": lambda: noisy,
        "median_": lambda: median_denoiser(noisy),
        "blur_": lambda: blur_denoiser(noisy),
    }
    said.append("PSNR in dB, mean over samples; median: 3x3; blur: Gaussian, 1 pixel")
    if subject.manifest.input_size <= EXACT_FEATURES:
        given, wanted = (to_unit(rows, value_range) for rows in _training_rows(subject, kind, amount, RIDGE_ROWS))
        methods["ridge_"] = partial(RidgeDenoiser.fit(given, wanted).denoise, noisy)
        said.append(f"ridge: linear, fitted on {len(given)} noisy training rows")
    slow = min(len(clean), subject.rows_within(SLOW_ROWS, SLOW_NUMBERS))
    tuning = subject.rows_within(TUNING_ROWS, TUNING_NUMBERS)
    given, wanted = (to_unit(rows, value_range) for rows in _training_rows(subject, kind, amount, tuning))
    weight = best_strength(total_variation_denoiser, given, wanted, TV_WEIGHTS)
    sigma = best_strength(wavelet_denoiser, given, wanted, WAVELET_SIGMAS)
    methods["tv_"] = lambda: total_variation_denoiser(noisy[:slow], weight)
    methods["wavelet_"] = lambda: wavelet_denoiser(noisy[:slow], sigma)
    said.append(
        f"tv: total variation of weight {weight:g}, wavelet: BayesShrink of sigma {sigma:g}, both chosen on "
        f"{len(given)} noisy training rows and measured on the first {slow} test rows"
    )
    for prefix, method in methods.items():
        answer = method()
        yield f"{prefix}psnr", psnr(answer, clean[: len(answer)])
        if window_of(clean.shape):
            yield f"{prefix}ssim", ssim(answer, clean[: len(answer)])


def _against_vectors(
    subject: Subject, kind: NoiseKind, amount: float, vectors: tuple[Array, Array, Array], said: list[str]
) -> Iterator[tuple[str, float]]:
    """Mean squared errors of each method; what was done is added to `said`."""
    _, noisy, clean = (to_x(samples, subject.manifest) for samples in vectors)
    yield "noisy_mse", mse(noisy, clean)
    if subject.manifest.input_size <= EXACT_FEATURES:
        given, wanted = (to_x(rows, subject.manifest) for rows in _training_rows(subject, kind, amount, RIDGE_ROWS))
        ridge = RidgeDenoiser.fit(given, wanted, clipped=in_unit_interval(subject.manifest))
        said.append(f"ridge: linear, fitted on {len(given)} noisy training rows")
        yield "ridge_mse", mse(ridge.denoise(noisy), clean)


def _training_rows(subject: Subject, kind: NoiseKind, amount: float, rows: int) -> tuple[Array, Array]:
    """Training rows in the user's units, corrupted and clean."""
    clean = subject.training_rows(rows, TEST_NUMBERS).in_users_units()
    return corrupted(subject, clean, kind, amount, NOISE_SEED + 1), clean
