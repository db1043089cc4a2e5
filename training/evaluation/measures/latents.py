"""Scores of the latents: how well they separate labels, and whether they keep neighbours together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.arrays import Latents
from app.manifest import Measurement
from training.data.dataset import Split
from training.evaluation.baselines import (
    NEIGHBOURS,
    TRUSTED_NEIGHBOURS,
    LinearAutoencoder,
    knn_accuracy,
    probe_accuracy,
    trusted_neighbours,
)
from training.evaluation.subject import Subject, Untrained, choose_rows
from training.evaluation.units import to_x

Encoders = dict[str, Callable[[Split], Latents]]
"""Encoders of all rows of a split, by the prefix of their measurements; the model's prefix is empty."""

MIN_NEIGHBOURHOOD_ROWS = 3
"""Fewer rows have no neighbours to compare."""


def measure_latents(subject: Subject, pca: LinearAutoencoder, untrained: Untrained | None) -> Measurement | None:
    """Return accuracies, if there are labels, and trustworthiness, beside PCA's; None if neither can be measured."""
    encoders: Encoders = {
        "": subject.encode,
        "pca_": lambda split: subject.map_chunks(lambda samples: pca.encode(to_x(samples, subject.manifest)), split),
    }
    if untrained:
        encoders["untrained_"] = lambda split: subject.map_chunks(lambda samples: untrained("encode", samples), split)
    values, notes = _measure_accuracies(subject, encoders)
    trust, trust_notes = _measure_trust(subject, encoders)
    values |= trust
    if not values:
        return None
    return Measurement(data_set=subject.description, protocol="; ".join(notes + trust_notes), values=values)


def _measure_accuracies(subject: Subject, encoders: Encoders) -> tuple[dict[str, float], list[str]]:
    train, test = subject.baseline_rows(), subject.data.test
    if train.labels is None or test.labels is None or len(np.unique(train.labels)) < 2:
        return {}, []
    values = {}
    for prefix, encode in encoders.items():
        latents, test_latents = encode(train), encode(test)
        values[f"{prefix}knn_accuracy"] = knn_accuracy(latents, train.labels, test_latents, test.labels)
        values[f"{prefix}probe_accuracy"] = probe_accuracy(latents, train.labels, test_latents, test.labels)
    note = (
        f"{NEIGHBOURS}-nearest-neighbour accuracy of the latents (means), and that of a linear probe (logistic "
        f"regression on standardised latents), both from {len(train)} training rows"
    )
    return values, [note]


def _measure_trust(subject: Subject, encoders: Encoders) -> tuple[dict[str, float], list[str]]:
    rows = choose_rows(subject.data.test, subject.row_count(subject.limits.neighbourhood), subject.seed)
    if len(rows) < MIN_NEIGHBOURHOOD_ROWS:
        return {}, []
    x = subject.x(rows)
    values = {f"{prefix}trustworthiness": trusted_neighbours(x, encoders[prefix](rows)) for prefix in ("", "pca_")}
    return values, [f"trustworthiness of {TRUSTED_NEIGHBOURS} neighbours among {len(rows)} test rows"]
