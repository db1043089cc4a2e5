"""Generated samples beside training samples, reconstructions, and samples of simpler distributions of the latents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from app.arrays import Array, Labels, Latents, Samples
from app.manifest import Manifest, Measurement
from training.data.dataset import Split
from training.errors import DataError
from training.evaluation.digits import DigitFeatures, is_mnist
from training.evaluation.features import Features, pca_features, random_features
from training.evaluation.fidelity import Reference, compare_samples, memorising_ratio
from training.evaluation.subject import Subject, choose_rows
from training.evaluation.units import from_x, to_unit, to_x

SEEDS = 3
"""The draws of each set whose mean is measured, unless the command states their number."""


@dataclass(frozen=True)
class Space:
    """One kind of features, and what all draws are compared with in it."""

    name: str
    """The name in protocols."""
    features: Features
    reference: Reference
    bank: Array
    """The features of many training rows."""
    few_test: Array
    """The features of the test rows whose distances to the bank are measured."""

    @classmethod
    def of(cls, name: str, features: Features, test: Samples, bank: Samples, few: int) -> Space:
        """Compute the features of test rows and of training rows, in the network's units."""
        test_features = features(test)
        return cls(name, features, Reference.of(test_features), features(bank), test_features[:few])

    def measure(self, samples: Samples, in_bank: bool) -> dict[str, float]:
        """Return the measures of samples; rows of the bank have no distance to it."""
        generated = self.features(samples)
        measures = compare_samples(self.reference, generated)
        if not in_bank:
            few = generated[: len(self.few_test)]
            measures["nearest"] = memorising_ratio(few, self.few_test, self.bank)
        return measures


def measure_generation(subject: Subject, seeds: int = SEEDS) -> list[Measurement]:
    """
    Return the quality of samples by how the latents are drawn, one measurement for each kind of features.

    Training samples are the floor, and their reconstructions the best that the decoder can do. Samples of N(0, I), of a
    single Gaussian, and of the version's own prior follow. All are drawn anew with each seed. Raises DataError without
    training rows.
    """
    if not subject.has_training_rows:
        raise DataError(
            f"{subject.data.name}: --samples compares with training rows, which are not at hand; with --data they are "
            "named, and with --test the held-out rows"
        )
    count = min(len(subject.data.train), len(subject.data.test), subject.row_count(subject.limits.generated))
    if count < 2:
        raise DataError(f"{subject.data.name}: --samples needs two rows in the training and the test part")
    test = subject.x(choose_rows(subject.data.test, count, subject.seed))
    bank = subject.x(subject.training_rows(subject.limits.bank))
    few = subject.row_count(subject.limits.neighbourhood)
    spaces = [Space.of(name, features, test, bank, few) for name, features in feature_spaces(subject, bank).items()]
    trials: list[list[dict[str, float]]] = [[] for _ in spaces]
    for seed in range(subject.seed, subject.seed + seeds):
        sets = dict(draw_sets(replace(subject, seed=seed), choose_rows(subject.data.train, count, seed)))
        for space, values in zip(spaces, trials, strict=True):
            values.append(
                {
                    f"{name}_{measure}": value
                    for name, samples in sets.items()
                    for measure, value in space.measure(samples, in_bank=name == "train").items()
                }
            )
    return [
        Measurement(
            data_set=subject.description, protocol=_protocol(subject, space, seeds), values=means_and_spreads(values)
        )
        for space, values in zip(spaces, trials, strict=True)
    ]


def feature_spaces(subject: Subject, train: Samples) -> dict[str, Features]:
    """Return the kinds of features by their names in protocols; the model has no part in them."""
    spaces = {
        "principal components of training samples": pca_features(train),
        "outputs of a network with fixed random weights": random_features(train),
    }
    if is_mnist(subject.data):
        digits = DigitFeatures()
        accuracy = 100 * digits.record.test_accuracy
        name = f"activations of a classifier of MNIST's training images, which is right on {accuracy:.2f} % of the test"
        spaces[f"{name} images"] = partial(_of_digits, digits, subject.manifest)
    return spaces


def _of_digits(digits: DigitFeatures, manifest: Manifest, x: Samples) -> Array:
    value_range = manifest.input.value_range
    samples = from_x(x, manifest)
    return digits(to_unit(samples, value_range) if value_range else samples)


def means_and_spreads(trials: list[dict[str, float]]) -> dict[str, float]:
    """Return the mean of each value, and its standard deviation as `..._spread` if there are several trials."""
    values: dict[str, float] = {}
    for name in trials[0]:
        numbers = [trial[name] for trial in trials]
        values[name] = float(np.mean(numbers))
        if len(numbers) > 1:
            values[f"{name}_spread"] = float(np.std(numbers, ddof=1))
    return values


def _protocol(subject: Subject, space: Space, seeds: int) -> str:
    prior = subject.manifest.prior
    own = f"prior: {prior.summary}" if prior else "the version has no prior of its own"
    last = subject.seed + seeds - 1
    drawn = f"means over seeds {subject.seed} to {last}, and their standard deviations (spread)"
    return (
        f"samples against {len(space.reference.features)} test rows, in {space.bank.shape[1]} features: {space.name}; "
        f"as many training rows (train), their reconstructions, decoded draws of N(0, I) (normal), of one Gaussian "
        f"fitted to the latents (gaussian), and {own}; Fréchet distance, precision and recall by 3 neighbours, density "
        f"and coverage by 5; nearest: median distance to the nearest of {len(space.bank)} training rows, in units of "
        f"that of test rows; {drawn if seeds > 1 else f'seed {subject.seed}'}"
    )


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
