"""A data set in memory: three parts, each stored as in the file, so that 8-bit images stay 8-bit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from app.arrays import Array
from app.inputs import ImageInput, VectorInput
from training.data.findings import Findings
from training.data.storage import Integers, StoredSamples


@dataclass(frozen=True)
class Split:
    """One part of a data set, as stored: samples (N, *input_shape), and labels (N,) or None."""

    samples: StoredSamples
    labels: Integers | None
    """Indices into the data set's classes."""
    unit: float
    """One stored unit in the user's units: 1/255 for 8-bit images, whose values then lie in [0, 1]."""

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, rows: Integers | slice) -> Split:
        """Return some of the rows."""
        return Split(self.samples[rows], None if self.labels is None else self.labels[rows], self.unit)

    def clip(self, value_range: tuple[float, float]) -> int:
        """Move numbers outside a range, in stored units, to its ends, in place. Return their count."""
        low, high = (self.samples.dtype.type(end) for end in value_range)
        count = int(np.count_nonzero(self.samples < low) + np.count_nonzero(self.samples > high))
        if count:
            np.clip(self.samples, low, high, out=self.samples)
        return count

    def in_users_units(self) -> Array:
        """Return all samples as float32, in the user's units."""
        return self.samples.astype(np.float32) * np.float32(self.unit)


@dataclass(frozen=True)
class DataSet:
    """Three parts, or four, that share no row, the description of one sample, and the findings in the files."""

    name: str
    input: ImageInput | VectorInput
    classes: tuple[str, ...]
    """The names that the labels index; empty without labels."""
    train: Split
    validation: Split
    test: Split
    findings: Findings = field(default_factory=Findings)
    is_whole: bool = False
    """True if the test part is every row of a file; the training part is then that of other data, or empty."""
    calibration: Split | None = None
    """Rows that only a scorer's p-values see; None: there is no scorer."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the stored samples and labels of all parts, in hexadecimal digits."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test, *([self.calibration] if self.calibration else [])):
            digest.update(np.ascontiguousarray(split.samples).reshape(-1).data)
            if split.labels is not None:
                digest.update(np.ascontiguousarray(split.labels).data)
        return digest.hexdigest()
