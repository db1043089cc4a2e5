"""The scorer of a model: how strange samples are, compared with rows that it was calibrated on."""

from __future__ import annotations

import numpy as np
import onnxruntime

from app.arrays import Array, Samples
from app.engine.results import Scored
from app.engine.session import TensorSpec, check_signature, run_parts
from app.manifest import Manifest

OUTPUTS = ("score", "p_value", "attribution")
LARGEST = np.float32(np.finfo(np.float32).max)


class Scorer:
    """
    A graph that gives samples a score, a p-value and attributions.

        samples      (B, *manifest.input_shape)  float32, finite
        score        (B,)                        float32
        p_value      (B,)                        float32
        attribution  (B, *manifest.input_shape)  float32

    The results are finite for any samples: a number that float32 cannot hold becomes the largest one, and a sample
    whose distances cannot be compared with those of the calibration rows gets the smallest p-value.
    """

    def __init__(self, manifest: Manifest, session: onnxruntime.InferenceSession, rows_per_run: int) -> None:
        assert manifest.scorer  # the manifest has it if there is a graph
        self._session = session
        self._rows_per_run = rows_per_run
        self._smallest_p_value = np.float32(1 / (manifest.scorer.calibration_rows + 1))
        samples = TensorSpec("samples", manifest.input_shape)
        outputs = [TensorSpec(name, ()) for name in OUTPUTS[:2]]
        check_signature(session, [samples], [*outputs, TensorSpec(OUTPUTS[2], manifest.input_shape)])

    def run(self, samples: Samples) -> Scored:
        """Return the score, the p-value and the attributions of each sample."""
        scores, p_values, attributions = run_parts(self._session, OUTPUTS, {"samples": samples}, self._rows_per_run)
        comparable = np.isfinite(p_values) & np.isfinite(scores)
        return Scored(_bounded(scores), np.where(comparable, p_values, self._smallest_p_value), _bounded(attributions))


def _bounded(numbers: Array) -> Array:
    """Return the numbers with the largest float32 in place of those that overflowed: infinity, and what it led to."""
    finite = np.isfinite(numbers)
    return numbers if finite.all() else np.where(finite, numbers, LARGEST)
