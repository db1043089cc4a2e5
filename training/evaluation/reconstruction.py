"""How well samples come back."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from app.manifest import ImageInput, Measurement
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.metrics import (
    RSquared,
    cross_entropy,
    psnr_of,
    similarities,
    squared_errors,
    window_of,
)
from training.evaluation.subject import Subject, Untrained, chunks
from training.evaluation.units import in_unit_interval, is_bernoulli, to_unit, to_x

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

PCA_MARGIN = 0.01
"""PCA gives values outside [0, 1], whose cross-entropy would be infinite."""


def measure_reconstruction(subject: Subject, pca: LinearAutoencoder, untrained: Untrained | None) -> Measurement:
    """Errors on the test part beside those of PCA and of the untrained network."""
    size = subject.manifest.input_size
    explained = {"r2": RSquared(size), "pca_r2": RSquared(size)}
    parts = defaultdict(list)
    for part in chunks(subject.data.test):
        samples = part.in_users_units()
        target = to_x(samples, subject.manifest)
        restored = subject.reconstruct(samples, part.labels)
        output, linear = to_x(restored, subject.manifest, clipped=False), pca.reconstruct(target)
        errors = _errors(subject, output, linear, target) | _likeness(subject, restored, samples)
        if untrained:
            blank = to_x(untrained("reconstruct", samples), subject.manifest, clipped=False)
            errors["untrained_mse"] = squared_errors(blank, target)
        for name, numbers in errors.items():
            parts[name].append(numbers)
        explained["r2"].add(output, target)
        explained["pca_r2"].add(linear, target)
    values = {name: float(np.concatenate(numbers).mean()) for name, numbers in parts.items()}
    if not is_bernoulli(subject.manifest):
        values |= {name: share.mean() for name, share in explained.items()}
    return Measurement(data_set=subject.description, protocol=_protocol(subject, values), values=values)


def _errors(subject: Subject, output: Array, linear: Array, target: Array) -> dict[str, Doubles]:
    """A number for each sample, in the network's units."""
    errors = {"mse": squared_errors(output, target), "pca_mse": squared_errors(linear, target)}
    if in_unit_interval(subject.manifest):
        size = subject.manifest.input_size
        errors["bce"] = cross_entropy(output, target) / size
        errors["bce_excess"] = errors["bce"] - cross_entropy(target, target) / size
        errors["pca_bce"] = cross_entropy(linear, target, PCA_MARGIN) / size
    return errors


def _likeness(subject: Subject, restored: Array, samples: Array) -> dict[str, Doubles]:
    """A number for each sample, where there is a value range, mapped to [0, 1]."""
    value_range = subject.manifest.input.value_range
    if value_range is None:
        return {}
    output, target = to_unit(restored, value_range), to_unit(samples, value_range)
    likeness = {"psnr": psnr_of(squared_errors(output, target))}
    if isinstance(subject.manifest.input, ImageInput) and window_of(target.shape):
        likeness["ssim"] = similarities(output, target)
    return likeness


def _protocol(subject: Subject, values: dict[str, float]) -> str:
    said = [
        "decode(encode(x)), errors of x, the preprocessed samples"
        + (", in [0, 1]" if in_unit_interval(subject.manifest) else ""),
        f"PCA of the same number of components, fitted on {subject.fitting_count} training rows",
    ]
    if subject.label_numbers is not None:
        said.append("each row decoded under its own label")
    if "psnr" in values:
        said.append("PSNR in dB of the value range, mean over samples")
    if "ssim" in values:
        side = window_of(subject.manifest.input_shape)
        said.append(f"SSIM with a uniform window of {side} x {side}")
    if "bce" in values:
        said.append(
            "BCE in nats per number, bce_excess above the targets' own entropy; "
            f"PCA's from outputs in [{PCA_MARGIN:g}, {1 - PCA_MARGIN:g}]"
        )
    if "r2" in values:
        said.append("R2: mean over the columns that vary")
    if "untrained_mse" in values:
        said.append("untrained: the same network before training")
    return "; ".join(said)
