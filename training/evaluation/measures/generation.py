"""Generated samples beside training samples, reconstructions, and samples of simpler distributions of the latents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from app.arrays import Labels, Latents, Samples
from app.manifest import Measurement
from training.data.dataset import Split
from training.errors import DataError
from training.evaluation.features import Features, pca_features, random_features
from training.evaluation.fidelity import Reference, compare_samples, memorising_ratio
from training.evaluation.subject import Subject, choose_rows
from training.evaluation.units import to_x

SPACES = {
    "principal components of training samples": pca_features,
    "outputs of a network with fixed random weights": random_features,
}
"""The features, by their names in protocols. Neither kind is a classifier's, and the model has no part in them."""


def measure_generation(subject: Subject) -> list[Measurement]:
    """
    Return the quality of samples by how the latents are drawn, one measurement for each kind of features.

    Training samples are the floor, and their reconstructions the best that the decoder can do. Samples of N(0, I), of a
    single Gaussian, and of the version's own prior follow. Raises DataError without training rows.
    """
    if not subject.has_training_rows:
        raise DataError(
            f"{subject.data.name}: --samples compares with training rows, which are not at hand; with --data they are "
            "named, and with --test the held-out rows"
        )
    bank = subject.training_rows(subject.limits.bank)
    count = min(len(subject.data.train), len(subject.data.test), subject.row_count(subject.limits.generated))
    if count < 2:
        raise DataError(f"{subject.data.name}: --samples needs two rows in the training and the test part")
    train, test = (choose_rows(part, count, subject.seed) for part in (subject.data.train, subject.data.test))
    samples = dict(draw_sets(subject, train))
    return [_measure(subject, name, make(subject.x(bank)), bank, test, samples) for name, make in SPACES.items()]


def _measure(
    subject: Subject, name: str, features: Features, bank: Split, test: Split, sets: dict[str, Samples]
) -> Measurement:
    """Return the measures of each set of samples, in the network's units, in one kind of features."""
    test_features, bank_features = features(subject.x(test)), features(subject.x(bank))
    reference, few = Reference.of(test_features), subject.row_count(subject.limits.neighbourhood)
    values: dict[str, float] = {}
    for set_name, samples in sets.items():
        generated = features(samples)
        measures = compare_samples(reference, generated)
        if set_name != "train":  # which are in the bank themselves
            measures["nearest"] = memorising_ratio(generated[:few], test_features[:few], bank_features)
        values |= {f"{set_name}_{measure}": value for measure, value in measures.items()}
    prior = subject.manifest.prior
    own = f"prior: {sum(prior.components)} Gaussians" if prior else "the version has no prior of its own"
    protocol = (
        f"samples against {len(test)} test rows, in {test_features.shape[1]} features: {name}; as many training rows "
        f"(train), their reconstructions, decoded draws of N(0, I) (normal), of one Gaussian fitted to the latents "
        f"(gaussian), and {own}; Fréchet distance, precision and recall by 3 neighbours, density and coverage by 5; "
        f"nearest: median distance to the nearest of {len(bank)} training rows, in units of that of test rows; seed "
        f"{subject.seed}"
    )
    return Measurement(data_set=subject.description, protocol=protocol, values=values)


def draw_sets(subject: Subject, train: Split) -> Iterator[tuple[str, Samples]]:
    """Yield the name of each set and as many samples as there are training rows, in the network's units."""
    seed, count, labels = subject.seed, len(train), train.labels
    yield "train", subject.x(train)
    yield "reconstruction", decoded(subject, subject.encode(train), labels)
    random = np.random.default_rng(seed)
    noise = random.standard_normal((count, subject.manifest.latent_dim), dtype=np.float32)
    yield "normal", decoded(subject, noise, labels)
    codes = subject.posterior(train).sample(seed).astype(np.float64)
    draws = random.multivariate_normal(codes.mean(axis=0), np.atleast_2d(np.cov(codes.T)), count, method="eigh")
    yield "gaussian", decoded(subject, draws.astype(np.float32), labels)
    if subject.manifest.has_prior:
        numbers = None if subject.label_numbers is None or labels is None else subject.label_numbers[labels]
        prior = subject.model.prior
        yield "prior", decoded(subject, prior.run(prior.noise(count, seed), numbers), labels)


def decoded(subject: Subject, latents: Latents, labels: Labels | None) -> Samples:
    """Return decoded latents in the network's units, each under its own label."""
    parts = []
    for start, end in subject.spans(len(latents)):
        part = None if labels is None else labels[start:end]
        parts.append(to_x(subject.decode(latents[start:end], part), subject.manifest))
    return np.concatenate(parts)
