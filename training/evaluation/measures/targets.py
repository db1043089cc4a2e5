"""The test samples as the likelihood of a variational model takes them: unchanged or binarised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.arrays import Samples
from app.engine.results import Posterior
from training.config import Binarisation
from training.errors import InvalidConfiguration
from training.evaluation.subject import Subject, join_posteriors
from training.evaluation.units import from_x, is_bernoulli, to_x

BINARISATION_STREAM = 1
"""Each test row's generator is seeded with (seed, stream, row), so that its target does not depend on the chunks."""


@dataclass(frozen=True)
class Targets:
    """The preprocessed test samples. Raises InvalidConfiguration if a Gaussian likelihood is to take binarised ones."""

    subject: Subject
    binarisation: Binarisation

    def __post_init__(self) -> None:
        if self.binarisation != "none" and not is_bernoulli(self.subject.manifest):
            raise InvalidConfiguration("binarisation belongs to the Bernoulli likelihood; the model's is Gaussian")

    def __len__(self) -> int:
        return len(self.subject.data.test)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the start and the end of each chunk."""
        return self.subject.spans(len(self))

    def take(self, start: int, stop: int) -> Samples:
        """Return the targets of some rows. Shape: (stop - start, *shape)."""
        x = to_x(self.subject.data.test.take(slice(start, stop)).in_users_units(), self.subject.manifest)
        if self.binarisation == "none":
            return x
        if self.binarisation == "threshold":
            return (x >= 0.5).astype(np.float32)
        seed, shape = self.subject.seed, x.shape[1:]
        draws = [
            np.random.default_rng((seed, BINARISATION_STREAM, row)).random(shape, np.float32)
            for row in range(start, stop)
        ]
        return (np.stack(draws) < x).astype(np.float32)

    def posterior(self) -> Posterior:
        """Return the encoder's posterior of all targets."""
        if self.binarisation == "none":
            return self.subject.posterior(self.subject.data.test)
        subject, labels = self.subject, self.subject.data.test.labels
        return join_posteriors(
            [
                subject.posterior_of(
                    from_x(self.take(*span), subject.manifest), None if labels is None else labels[slice(*span)]
                )
                for span in self.spans()
            ]
        )

    def describe(self) -> str:
        """Return a description for the protocol."""
        if not is_bernoulli(self.subject.manifest):
            return "x, the preprocessed samples (a density)"
        return {
            "none": "grey values",
            "threshold": "values rounded to 0 or 1",
            "dynamic": f"values drawn once as 0 or 1, seed {self.subject.seed}",
        }[self.binarisation]
