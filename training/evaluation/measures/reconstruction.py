"""Errors of reconstructed test samples, beside those of PCA and of the untrained network."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np

from app.arrays import Samples
from app.inputs import ImageInput
from app.manifest import Measurement
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.metrics import (
    Doubles,
    RSquared,
    cross_entropy,
    psnr_of,
    similarities,
    squared_errors,
    window_of,
)
from training.evaluation.subject import Subject, Untrained
from training.evaluation.units import in_unit_interval, is_bernoulli, to_unit, to_x

PCA_MARGIN = 0.01
"""Distance from 0 and 1 that PCA's outputs are clipped to: some lie outside [0, 1], where BCE would be infinite."""


def measure_reconstruction(
    subject: Subject, pca: LinearAutoencoder, untrained: Untrained | None, active_units: int | None = None
) -> Measurement:
    """
    Return errors on the test part beside those of PCA and of the untrained network.

    A variational model leaves latent units unused that would only carry noise. If it does, the errors of PCA with as
    many components as there are active units join, at least one.
    """
    fewer = active_units is not None and active_units < subject.manifest.latent_dim
    size = subject.manifest.input_size
    explained = {name: RSquared(size) for name in ("r2", "pca_r2", *(["pca_active_r2"] if fewer else []))}
    parts = defaultdict(list)
    for part in subject.chunks(subject.data.test):
        samples = part.in_users_units()
        target = to_x(samples, subject.manifest)
        reconstructed = subject.reconstruct(samples, part.labels)
        output, linear = to_x(reconstructed, subject.manifest, clipped=False), pca.reconstruct(target)
        errors = _errors(subject, output, linear, target) | _similarity(subject, reconstructed, samples)
        if active_units is not None and fewer:
            smaller = pca.reconstruct(target, max(1, active_units))
            errors["pca_active_mse"] = squared_errors(smaller, target)
            explained["pca_active_r2"].add(smaller, target)
        if untrained:
            untrained_output = to_x(untrained("reconstruct", samples), subject.manifest, clipped=False)
            errors["untrained_mse"] = squared_errors(untrained_output, target)
        for name, numbers in errors.items():
            parts[name].append(numbers)
        explained["r2"].add(output, target)
        explained["pca_r2"].add(linear, target)
    joined = {name: np.concatenate(numbers) for name, numbers in parts.items()}
    values = {name: float(numbers.mean()) for name, numbers in joined.items()}
    if len(joined["mse"]) > 1:
        values["mse_standard_error"] = float(joined["mse"].std(ddof=1) / math.sqrt(len(joined["mse"])))
    if not is_bernoulli(subject.manifest):
        values |= {name: share.mean() for name, share in explained.items()}
    return Measurement(data_set=subject.description, protocol=_protocol(subject, values, pca), values=values)


def _errors(subject: Subject, output: Samples, linear: Samples, target: Samples) -> dict[str, Doubles]:
    """Return errors of each sample in the network's units, by name; `linear` is PCA's output."""
    errors = {"mse": squared_errors(output, target), "pca_mse": squared_errors(linear, target)}
    if in_unit_interval(subject.manifest):
        size = subject.manifest.input_size
        errors["bce"] = cross_entropy(output, target) / size
        errors["bce_excess"] = errors["bce"] - cross_entropy(target, target) / size
        errors["pca_bce"] = cross_entropy(linear, target, PCA_MARGIN) / size
    return errors


def _similarity(subject: Subject, reconstructed: Samples, samples: Samples) -> dict[str, Doubles]:
    """Return PSNR and SSIM of each sample, mapped to [0, 1]; nothing without a value range."""
    value_range = subject.manifest.input.value_range
    if value_range is None:
        return {}
    output, target = to_unit(reconstructed, value_range), to_unit(samples, value_range)
    values = {"psnr": psnr_of(squared_errors(output, target))}
    if isinstance(subject.manifest.input, ImageInput) and window_of(target.shape):
        values["ssim"] = similarities(output, target)
    return values


def _protocol(subject: Subject, values: dict[str, float], pca: LinearAutoencoder) -> str:
    notes = [
        "decode(encode(x)), errors of x, the preprocessed samples"
        + (", in [0, 1]" if in_unit_interval(subject.manifest) else ""),
        f"PCA of the same number of components, {pca.description}",
    ]
    if "pca_active_mse" in values:
        notes.append("pca_active: PCA with as many components as there are active units")
    if subject.label_numbers is not None:
        notes.append("each row decoded under its own label")
    if "psnr" in values:
        notes.append("PSNR in dB of the value range, mean over samples")
    if "ssim" in values:
        side = window_of(subject.manifest.input_shape)
        notes.append(f"SSIM with a uniform window of {side} x {side}")
    if "bce" in values:
        notes.append(
            "BCE in nats per number, bce_excess above the targets' own entropy; "
            f"PCA's from outputs in [{PCA_MARGIN:g}, {1 - PCA_MARGIN:g}]"
        )
    if "r2" in values:
        notes.append("R2: mean over the columns that vary")
    if "untrained_mse" in values:
        notes.append("untrained: the same network before training")
    return "; ".join(notes)
