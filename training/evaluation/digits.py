"""
The classifier of digits in whose features samples of MNIST models are compared.

`bench.digit_features` trained `graphs/digits.onnx` on MNIST's training images only; `graphs/digits.json` holds its
accuracy and its checksum. It maps `samples` (batch, 1, 28, 28) in [0, 1] to `features` (batch, 128) and `logits`
(batch, 10).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from app.arrays import Array, Samples
from app.engine.session import open_session
from training.data.dataset import DataSet
from training.data.storage import StoredSamples
from training.errors import DataError

FOLDER = Path(__file__).parent / "graphs"
GRAPH, RECORD = FOLDER / "digits.onnx", FOLDER / "digits.json"
SHAPE = (1, 28, 28)
ROWS_PER_RUN = 500


class Record(BaseModel):
    """The description of the graph."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    """The graph's checksum, in hexadecimal digits."""
    test_accuracy: float
    """The share of MNIST's test images that the graph classifies correctly."""
    training_rows: int
    """MNIST's training images that it was fitted on."""
    validation_rows: int
    """MNIST's training images that its epoch was chosen by."""
    test_fingerprint: str
    """SHA-256 of the pixels of MNIST's test images, by which the data of an evaluation are recognised."""
    command: str
    """The command that writes the graph and this record."""

    @classmethod
    def read(cls, path: Path = RECORD) -> Record:
        """Read a record."""
        return cls.model_validate_json(path.read_bytes())


def fingerprint(samples: StoredSamples) -> str:
    """Return the SHA-256 of samples as they are stored, in hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(samples).reshape(-1).data).hexdigest()


def is_mnist(data: DataSet, record: Record | None = None) -> bool:
    """Return whether the test part is that of MNIST, by its pixels."""
    if data.test.samples.shape[1:] != SHAPE:
        return False
    return fingerprint(data.test.samples) == (record or Record.read()).test_fingerprint


class DigitFeatures:
    """Features of images of digits, (N, 1, 28, 28) in [0, 1] -> (N, F)."""

    def __init__(self, graph: Path = GRAPH, record: Record | None = None) -> None:
        """Load the graph. Raises DataError if it is not the one of the record."""
        self.record = record or Record.read()
        if hashlib.sha256(graph.read_bytes()).hexdigest() != self.record.sha256:
            raise DataError(f"{graph.name}: the classifier of digits is not the one that its record describes")
        self._session = open_session(graph, threads=1)

    def __call__(self, samples: Samples) -> Array:
        """Return the features of samples."""
        parts = [
            self._session.run(["features"], {"samples": samples[at : at + ROWS_PER_RUN]})[0]
            for at in range(0, len(samples), ROWS_PER_RUN)
        ]
        return np.concatenate(parts)
