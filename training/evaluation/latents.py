"""What the latents know: of labels, and of which samples are near each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

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
from training.evaluation.subject import Subject, Untrained, answers, drawn_rows
from training.evaluation.units import to_x

Array = npt.NDArray[np.float32]

TRUST_ROWS, TRUST_NUMBERS = 2_000, 2**26
LEAST_TRUST_ROWS = 3
"""Fewer have no neighbours to compare."""


def measure_latents(subject: Subject, pca: LinearAutoencoder, untrained: Untrained | None) -> Measurement | None:
    """Accuracies, where there are labels, and trustworthiness, beside PCA's; None where neither can be measured."""
    encoders: dict[str, Callable[[Split], Array]] = {
        "": subject.encode,
        "pca_": lambda split: answers(lambda samples: pca.encode(to_x(samples, subject.manifest)), split),
    }
    if untrained:
        encoders["untrained_"] = lambda split: answers(lambda samples: untrained("encode", samples), split)
    train, test = subject.fitting_rows(), subject.data.test
    values, said = {}, []
    if train.labels is not None and test.labels is not None and len(np.unique(train.labels)) > 1:
        for prefix, encode in encoders.items():
            codes = encode(train), train.labels, encode(test), test.labels
            values[f"{prefix}knn_accuracy"] = knn_accuracy(*codes)
            values[f"{prefix}probe_accuracy"] = probe_accuracy(*codes)
        said.append(
            f"{NEIGHBOURS}-nearest-neighbour accuracy of the latents (means), and that of a linear probe (logistic "
            f"regression on standardised latents), both from {len(train)} training rows"
        )
    seen = drawn_rows(test, subject.rows_within(TRUST_ROWS, TRUST_NUMBERS), subject.seed)
    if len(seen) >= LEAST_TRUST_ROWS:
        x = subject.x(seen)
        for prefix in ("", "pca_"):
            values[f"{prefix}trustworthiness"] = trusted_neighbours(x, encoders[prefix](seen))
        said.append(f"trustworthiness of {TRUSTED_NEIGHBOURS} neighbours among {len(seen)} test rows")
    if not values:
        return None
    return Measurement(data_set=subject.description, protocol="; ".join(said), values=values)
