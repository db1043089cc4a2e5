"""Three parts of a data set in memory, as they came: a uint8 image stays uint8 until its batch is taken."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.manifest import ImageInput, VectorInput
from training.data.findings import Findings

Array = npt.NDArray[np.float32]
Samples = npt.NDArray[np.uint8 | np.int8 | np.int16 | np.float32]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Rows of a data set, as stored: samples (N, *input_shape), and labels (N,) or None."""

    samples: Samples
    labels: Numbers | None
    """Numbers into the data set's classes."""
    unit: float
    """What one stored unit is in the user's units: 1/255 for 8-bit images, which stand for [0, 1]."""

    def __len__(self) -> int:
        return len(self.samples)

    def take(self, rows: Numbers | slice) -> Split:
        """Some of the rows."""
        return Split(self.samples[rows], None if self.labels is None else self.labels[rows], self.unit)

    def in_users_units(self) -> Array:
        """All samples, float32."""
        return self.samples.astype(np.float32) * np.float32(self.unit)


@dataclass(frozen=True)
class DataSet:
    """Three parts without a row in common, what one sample is, and what was found in the files."""

    name: str
    input: ImageInput | VectorInput
    classes: tuple[str, ...]
    """What the labels stand for; empty without labels."""
    train: Split
    validation: Split
    test: Split
    findings: Findings = field(default_factory=Findings)

    def fingerprint(self) -> str:
        """SHA-256 over the stored samples and labels of all parts."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            digest.update(np.ascontiguousarray(split.samples).reshape(-1).data)
            if split.labels is not None:
                digest.update(np.ascontiguousarray(split.labels).data)
        return digest.hexdigest()
