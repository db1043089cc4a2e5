"""
Evaluate a model on a data set: all measurements that its tasks and the data allow.

Errors are those of x, the preprocessed samples that the network was trained on. Nothing is fitted on the test part.
"""

from __future__ import annotations

from itertools import product

from app.arrays import Latents, Samples
from app.engine.autoencoder import Autoencoder
from app.manifest import Measurement
from training.config import Binarisation, EvaluationConfig
from training.data.dataset import DataSet, Split
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.limits import DEFAULT_LIMITS, Limits
from training.evaluation.measures.anomalies import check_anomalies, measure_scorer
from training.evaluation.measures.bounds import measure_bounds
from training.evaluation.measures.denoising import measure_denoising
from training.evaluation.measures.generation import SEEDS, measure_generation
from training.evaluation.measures.latents import measure_latents
from training.evaluation.measures.reconstruction import measure_reconstruction
from training.evaluation.measures.separation import measure_separation
from training.evaluation.principal import principal_components
from training.evaluation.subject import Subject, Untrained
from training.evaluation.units import has_likelihood


def evaluate(
    model: Autoencoder,
    data: DataSet,
    options: EvaluationConfig,
    untrained: Untrained | None = None,
    *,
    binarisation: Binarisation = "none",
    seed: int = 0,
    limits: Limits = DEFAULT_LIMITS,
    pca: LinearAutoencoder | None = None,
    separation: bool = False,
    samples: bool = False,
    sample_seeds: int = SEEDS,
    anomalies: bool = False,
) -> tuple[Measurement, ...]:
    """
    Return the measurements on the test part; baselines are fitted on the training part, and so is PCA if none is given.

    `separation` measures how the model tells the labels of the test part apart; `samples` generated samples, drawn with
    several seeds, for minutes; `anomalies` other detectors than the scorer. `binarisation` is that of the targets of
    the bounds. `seed` decides all that is random. Raises DataError if the data do not fit.
    """
    subject = Subject.of(model, data, seed, limits)
    if anomalies:
        check_anomalies(subject)
    pca = pca or principal_components(subject)
    others, active = [], None
    if model.manifest.latent.kind == "gaussian" and has_likelihood(model.manifest):
        others = [measure_bounds(subject, binarisation, options.importance_samples)]
        active = int(others[0].values["active_units"])
    measurements = [measure_reconstruction(subject, pca, untrained, active)]
    if latents := measure_latents(subject, pca, untrained):
        measurements.append(latents)
    noises = product(options.noise_kinds, options.noise_amounts) if "denoise" in model.manifest.tasks else ()
    measurements += [measure_denoising(subject, kind, amount) for kind, amount in noises]
    if model.manifest.has_scorer:
        others.append(measure_scorer(subject, untrained, labelled=separation or anomalies, rivals=anomalies))
    if separation and (labelled := measure_separation(subject, pca)):
        others.append(labelled)
    return tuple(measurements + others + (measure_generation(subject, sample_seeds) if samples else []))


def encode(model: Autoencoder, data: DataSet, split: Split) -> Latents:
    """Return the latents of all rows of a split of the data; those of a variational model are the means."""
    return Subject.of(model, data).encode(split)


def reconstruct(model: Autoencoder, data: DataSet, split: Split) -> Samples:
    """Return decode(encode(x)) of all rows of a split of the data, in the user's units, each under its own label."""
    return Subject.of(model, data).reconstruct_split(split)
