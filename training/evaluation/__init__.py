"""
Numbers of a model, measured through onnxruntime, beside those of the baselines.

Errors are of x, the preprocessed samples that the network was trained on. Nothing is fitted on the test part, and no
more than about a GiB is held as float32 at a time.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Autoencoder
from app.manifest import Measurement
from training.config import Binarisation, EvaluationConfig
from training.data.dataset import DataSet, Split
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.bounds import POSTERIOR_SEED, measure_bounds, nll
from training.evaluation.denoising import NOISE_SEED, measure_denoising
from training.evaluation.latents import measure_latents
from training.evaluation.metrics import bce, cross_entropy, mse, psnr, ssim
from training.evaluation.reconstruction import measure_reconstruction
from training.evaluation.subject import Subject, Untrained, answers
from training.evaluation.units import has_likelihood, to_unit, to_x

__all__ = [
    "NOISE_SEED",
    "POSTERIOR_SEED",
    "Subject",
    "Untrained",
    "bce",
    "cross_entropy",
    "encode",
    "evaluate",
    "mse",
    "nll",
    "psnr",
    "reconstruct",
    "ssim",
    "to_unit",
    "to_x",
]

Array = npt.NDArray[np.float32]


def evaluate(
    model: Autoencoder,
    data: DataSet,
    options: EvaluationConfig,
    untrained: Untrained | None = None,
    *,
    binarisation: Binarisation = "none",
    seed: int = 0,
) -> tuple[Measurement, ...]:
    """
    The measurements that the model's tasks and the data allow, on the test part; baselines know the training part.

    `untrained("reconstruct" | "encode", samples)` is what the same network answers before training, in the user's
    units. `binarisation` is that of the targets of the bounds, and `seed` that of drawn rows, targets and importance
    samples: numbers compare where it is the same. Raises DataError where the model cannot take the data.
    """
    subject = Subject.of(model, data, seed)
    pca = LinearAutoencoder.fit(subject.x(subject.fitting_rows()), model.manifest.latent_dim)
    latents = measure_latents(subject, pca, untrained)
    measured = [measure_reconstruction(subject, pca, untrained), *([latents] if latents else [])]
    if "denoise" in model.manifest.tasks:
        measured += [measure_denoising(subject, kind, amount) for kind in options.noise_kinds
                     for amount in options.noise_amounts]  # fmt: skip
    if model.manifest.latent.kind == "gaussian" and has_likelihood(model.manifest):
        measured.append(measure_bounds(subject, binarisation, options.importance_samples))
    return tuple(measured)


def encode(model: Autoencoder, split: Split) -> Array:
    """Latents of all rows of a split, the means of a variational model, a chunk at a time."""
    return answers(model.encode, split)


def reconstruct(model: Autoencoder, data: DataSet, split: Split) -> Array:
    """decode(encode(x)) of all rows of a split of the data, in the user's units, each under its own label."""
    return Subject.of(model, data).reconstruct_split(split)
