"""The scorer of a model: how strange samples are, compared with rows that it was calibrated on."""

from __future__ import annotations

import numpy as np
import onnxruntime
from pydantic import ValidationError

from app.arrays import Array, Latents, Samples
from app.engine.drift.ranks import CalibratedLatents, LatentRanks
from app.engine.graph import Graph
from app.engine.results import Scored
from app.engine.session import TensorSpec, run_parts
from app.errors import InvalidModel
from app.manifest import SCORER, Manifest

OUTPUTS = ("score", "p_value", "attribution")
ENCODED_SHARE = 0.25
"""The share of rows that are encoded, too, while drift is watched: it needs no more, and the encoder takes time."""
GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, without their whole parts, spread rows evenly, also those of a sequence that repeats itself."""
CALIBRATED_LATENTS = "hourglass.latents"
"""The key in the graph's metadata under which it has `CalibratedLatents`, as JSON. Older graphs have none."""
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

    def __init__(
        self,
        manifest: Manifest,
        graph: Graph,
        rows_per_run: int,
        encoder: onnxruntime.InferenceSession,
    ) -> None:
        assert manifest.scorer  # the manifest has it if there is a graph
        self._graph = graph
        self._rows_per_run = rows_per_run
        self._smallest_p_value = np.float32(1 / (manifest.scorer.calibration_rows + 1))
        samples = TensorSpec("samples", manifest.input_shape)
        outputs = [TensorSpec(name, ()) for name in OUTPUTS[:2]]
        outputs.append(TensorSpec(OUTPUTS[2], manifest.input_shape))
        graph.expect([samples], outputs)
        self._manifest = manifest
        self._latents: tuple[LatentRanks, ...] | None = None
        self._encodes = False
        """True once somebody watches the latents of scored rows."""
        self._encoder, self._mean = encoder, manifest.encoder_outputs[:1]
        self._rows = 0
        """The rows that were scored meanwhile."""

    def run(self, samples: Samples) -> Scored:
        """Return the score, the p-value and the attributions of each sample, and the latents of some."""
        session, inputs = self._graph.open(), {"samples": samples}
        scores, p_values, attributions = run_parts(session, OUTPUTS, inputs, self._rows_per_run)
        comparable = np.isfinite(p_values) & np.isfinite(scores)
        p_values = np.where(comparable, p_values, self._smallest_p_value)
        return Scored(_bounded(scores), p_values, _bounded(attributions), self._encode_some(samples))

    def load_latents(self) -> tuple[LatentRanks, ...]:
        """Return the calibration rows along each latent; none if the graph has none. Raises InvalidModel."""
        if self._latents is None:
            self._latents = read_latents(self._manifest, self._graph.open())
        return self._latents

    def watch_latents(self) -> tuple[LatentRanks, ...]:
        """Encode a share of the rows from now on. Return the calibration rows along each latent, if they are known."""
        self._encodes = True
        return self.load_latents()

    def _encode_some(self, samples: Samples) -> Latents:
        """Return the latents of a share of the rows, if they are watched, and NaN for the others."""
        ranks = self.load_latents()
        latents = np.full((len(samples), len(ranks)), np.nan, np.float32)
        if not (ranks and self._encodes):
            return latents
        chosen = np.arange(self._rows, self._rows + len(samples)) * GOLDEN_RATIO % 1 < ENCODED_SHARE
        self._rows += len(samples)  # several threads may score at once: then other rows are chosen
        if chosen.any():
            inputs = {"samples": samples[chosen]}
            latents[chosen] = run_parts(self._encoder, self._mean, inputs, self._rows_per_run)[0]
        return latents


def read_latents(manifest: Manifest, session: onnxruntime.InferenceSession) -> tuple[LatentRanks, ...]:
    """Return the calibration rows along each latent from a graph's metadata. Raises InvalidModel."""
    text = session.get_modelmeta().custom_metadata_map.get(CALIBRATED_LATENTS)
    if text is None:
        return ()
    assert manifest.scorer
    try:
        latents = CalibratedLatents.model_validate_json(text).latents
    except ValidationError as error:
        raise InvalidModel(f"{SCORER}: the metadata {CALIBRATED_LATENTS} cannot be read") from error
    rows = manifest.scorer.calibration_rows
    if len(latents) != manifest.latent_dim or any(not 0 < rank <= rows for one in latents for rank in one.ranks):
        raise InvalidModel(f"{SCORER}: the metadata {CALIBRATED_LATENTS} is not of this model and its calibration rows")
    return latents


def _bounded(numbers: Array) -> Array:
    """Return the numbers with the largest float32 in place of those that overflowed: infinity, and what it led to."""
    finite = np.isfinite(numbers)
    return numbers if finite.all() else np.where(finite, numbers, LARGEST)
