"""One autoencoder on onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from app.arrays import Array, Labels, Latents, Rows, Samples
from app.engine.checks import (
    adjust_samples,
    check_finite,
    check_labels,
    encoder_label_rows,
    label_rows,
    row_checks,
)
from app.engine.corruption import Noise, corrupt
from app.engine.graph import Graph, GraphTask
from app.engine.kept_file import KeptFile
from app.engine.prior import Prior
from app.engine.results import Posterior, Reconstruction, Scored
from app.engine.scorer import Scorer
from app.engine.session import TensorSpec, check_signature, open_session, run_graph
from app.errors import InvalidParameter, UnsupportedTask, WrongShape
from app.manifest import DECODER, DENOISER, ENCODER, GOLDEN, PRIOR, SCORER, Manifest, TaskName

MAX_RUN_ROWS = 256
"""The most rows of one run of a graph: this bounds the memory that a large request takes."""
MAX_RUN_NUMBERS = 2**20
"""The most numbers in the samples of one run: a large image has as many as hundreds of small ones."""
TASK_GRAPHS: Mapping[GraphTask, str] = {"denoise": DENOISER, "generate": PRIOR, "score": SCORER}
"""The files of the graphs that only one task needs."""


class Autoencoder:
    """
    An encoder and a decoder that belong together, and the graphs that denoise, draw and score, if the version has them.

        samples  (B, *manifest.input_shape)  float32, in the manifest's range
        latents  (B, manifest.latent_dim)    float32
        labels   (B,)                        int64, indices into manifest.labels; only of a conditional model

    The decoder of a conditional model takes labels; its encoder does if `manifest.encoder_takes_labels` is true.

    Methods check their arguments and raise a ServiceError that says what was expected. The `run_…` methods do not: they
    take rows that were checked, and several requests may share them. All methods are safe to call from several threads
    at once. Methods that decode take `label`, the name of one label for all rows: a conditional model requires it, and
    any other model refuses it. Methods that only encode take it, too, if the encoder takes labels.
    """

    def __init__(
        self,
        manifest: Manifest,
        encoder: onnxruntime.InferenceSession,
        decoder: onnxruntime.InferenceSession,
        graphs: Mapping[GraphTask, Graph] | None = None,
        folder: Path | None = None,
        golden: KeptFile | None = None,
    ) -> None:
        self.manifest, self.folder, self.golden = manifest, folder, golden
        """`golden` is the file of golden samples, with which a graph is checked when requests need it."""
        self._encoder, self._decoder = encoder, decoder
        self.graphs: Mapping[GraphTask, Graph] = graphs or {}
        """The graphs that only one task needs, each open or not."""
        self._denoiser, scorer = self.graphs.get("denoise"), self.graphs.get("score")
        self.prior = Prior(manifest, self.graphs.get("generate"))
        self._encoder_outputs = manifest.encoder_outputs
        checks = row_checks(manifest)
        self._check_samples, self._check_latents = checks["samples"], checks["latents"]
        self._check_unbounded = checks["unbounded samples"]
        self.rows_per_run = max(1, min(MAX_RUN_ROWS, MAX_RUN_NUMBERS // manifest.input_size))
        """The most rows of one run of a graph."""
        self.scorer = Scorer(manifest, scorer, self.rows_per_run, encoder) if scorer else None
        samples, latents = TensorSpec("samples", manifest.input_shape), TensorSpec("latents", (manifest.latent_dim,))
        labels = [TensorSpec("labels", (), "int64")] if manifest.labels else []
        outputs = [TensorSpec(name, latents.shape) for name in self._encoder_outputs]
        check_signature(encoder, [samples, *(labels if manifest.encoder_takes_labels else [])], outputs)
        check_signature(decoder, [latents, *labels], [samples])
        if self._denoiser:
            self._denoiser.expect([samples], [TensorSpec("denoised", samples.shape)])

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, threads: int = 1) -> Autoencoder:
        """Open the model in a version's folder. Raises InvalidModel. The repository checks the files' checksums."""
        encoder, decoder = (open_session(folder / name, threads) for name in (ENCODER, DECODER))
        files = {task: name for task, name in TASK_GRAPHS.items() if name in manifest.files}
        graphs = {task: Graph(folder / name, manifest.files[name], threads) for task, name in files.items()}
        golden = KeptFile(folder / GOLDEN, manifest.files[GOLDEN]) if graphs and GOLDEN in manifest.files else None
        return cls(manifest, encoder, decoder, graphs, folder, golden)

    def run_encoder(self, samples: Samples, labels: Labels | None = None) -> tuple[Latents, ...]:
        """Return all outputs of the encoder: latents, or mu and logvar."""
        return self._run(self._encoder, self._encoder_outputs, self._encoder_inputs(samples, labels))

    def run_mean(self, samples: Samples, labels: Labels | None = None) -> tuple[Latents]:
        """Return the latents; of a variational model, mu."""
        return (self._run(self._encoder, self._encoder_outputs[:1], self._encoder_inputs(samples, labels))[0],)

    def run_decoder(self, latents: Latents, labels: Labels | None = None) -> tuple[Samples]:
        """Return the decoded samples. A conditional model needs a label for each row."""
        inputs: dict[str, Rows] = {"latents": latents}
        if labels is not None:
            inputs["labels"] = labels
        return (self._run(self._decoder, ("samples",), inputs)[0],)

    def run_round_trip(self, samples: Samples, labels: Labels | None = None) -> tuple[Samples]:
        """Return samples that were encoded and decoded."""
        return self.run_decoder(*self.run_mean(samples, labels), labels)

    def run_denoiser(self, samples: Samples, labels: Labels | None = None) -> tuple[Samples]:
        """Return the samples without noise: by the graph for that, or encoded and decoded if there is none."""
        if self._denoiser is None:
            return self.run_round_trip(samples, labels)
        return (self._run(self._denoiser.open(), ("denoised",), {"samples": samples})[0],)

    def run_generation(self, noise: Array, labels: Labels | None = None) -> tuple[Samples]:
        """Return the decoded latents that the prior makes of standard normal noise."""
        return self.run_decoder(self.prior.run(noise, labels), labels)

    def run_scorer(self, samples: Samples) -> Scored:
        """Return the scores, p-values and attributions. Raises UnsupportedTask if the version has no scorer."""
        if self.scorer is None:
            raise self._unsupported("score")
        return self.scorer.run(samples)

    def run_reconstruction(self, samples: Samples, labels: Labels | None = None) -> tuple[Samples, Array]:
        """Return samples that were encoded and decoded, and the mean squared error of each."""
        (reconstructed,) = self.run_round_trip(samples, labels)
        with np.errstate(over="ignore"):
            errors = np.square(reconstructed - samples).reshape(len(samples), -1).mean(axis=1)
        return reconstructed, check_finite("errors", errors)

    def posterior(self, samples: Samples, labels: Labels | None = None) -> Posterior:
        """Return the encoder's whole result. `labels` are those of the samples, if the encoder takes them."""
        outputs = self.run_encoder(self.check_samples(samples), labels)
        return Posterior(outputs[0], outputs[1] if len(outputs) > 1 else None)

    def encode(self, samples: Samples, label: str | None = None) -> Latents:
        """Return the latents; of a variational model, the posterior mean."""
        samples = self.check_samples(samples)
        return self.run_mean(samples, encoder_label_rows(self.manifest, label, len(samples)))[0]

    def decode(self, latents: Latents, label: str | None = None) -> Samples:
        """Return the decoded samples. Raises InvalidParameter if the label does not fit the model."""
        latents = self.check_latents(latents)
        return self.decode_rows(latents, label_rows(self.manifest, label, len(latents)))

    def decode_rows(self, latents: Latents, labels: Labels | None = None) -> Samples:
        """Return the decoded samples, each with a label of its own; `labels` is None for a model without labels."""
        latents = self.check_latents(latents)
        return self.run_decoder(latents, check_labels(self.manifest, labels, len(latents)))[0]

    def reconstruct(self, samples: Samples, label: str | None = None) -> Reconstruction:
        """Encode and decode samples, and compare the result with them."""
        samples = self.check_samples(samples)
        return Reconstruction(*self.run_reconstruction(samples, label_rows(self.manifest, label, len(samples))))

    def denoise(self, samples: Samples, label: str | None = None) -> Samples:
        """Remove noise from samples. Raises UnsupportedTask unless the model was trained for it."""
        self._require("denoise")
        samples = self.check_samples(samples)
        return self.run_denoiser(samples, label_rows(self.manifest, label, len(samples)))[0]

    def corrupt(self, samples: Samples, noise: Noise, amount: float, seed: int) -> Samples:
        """Add noise to samples, to demonstrate `denoise`. Raises InvalidParameter if the model has no value range."""
        value_range = self.manifest.input.value_range
        if value_range is None:
            raise InvalidParameter(f"the model {self.manifest.name!r} has no value range to measure noise in")
        return corrupt(self.check_samples(samples), noise, amount, value_range, seed)

    def score(self, samples: Samples) -> Scored:
        """
        Return how strange samples are; they may lie far beyond the range of the training samples.

        Raises UnsupportedTask if the version has no scorer.
        """
        samples = adjust_samples(self.manifest, self._check_unbounded(samples), clip=False).samples
        return self.run_scorer(samples)

    def generate(self, count: int, seed: int, temperature: float = 1.0, label: str | None = None) -> Samples:
        """
        Decode draws from the prior, whose noise is multiplied by the temperature.

        A larger count leaves the first samples as they were. Raises UnsupportedTask unless the model has a prior.
        """
        self._require("generate")
        labels = label_rows(self.manifest, label, count)
        return self.run_generation(self.prior.noise(count, seed, temperature), labels)[0]

    def interpolate(self, samples: Samples, steps: int, label: str | None = None) -> Samples:
        """
        Decode the straight line between the latents of two samples, both ends included.

        Shapes: (2, *input_shape) -> (steps, *input_shape)
        """
        samples = self.check_ends(samples)
        labels = label_rows(self.manifest, label, steps)
        ends = self.run_mean(samples, None if labels is None else labels[: len(samples)])
        return self.run_decoder(straight_line(*ends, steps), labels)[0]

    def check_samples(self, samples: Samples) -> Samples:
        """
        Return the samples in their full shape. They may be flat, and one-channel images may lack the channel axis.

        Raises EmptyBatch, WrongShape, NotFinite or OutOfRange.
        """
        return adjust_samples(self.manifest, self._check_samples(samples)).samples

    def check_ends(self, samples: Samples) -> Samples:
        """Return the two samples that an interpolation runs between. Raises WrongShape, and as `check_samples`."""
        samples = self.check_samples(samples)
        if len(samples) != 2:
            raise WrongShape(f"expected 2 samples to interpolate between, got {len(samples)}")
        return samples

    def check_latents(self, latents: Latents) -> Latents:
        """Return the latents. Raises EmptyBatch, WrongShape or NotFinite."""
        return self._check_latents(latents)

    def _encoder_inputs(self, samples: Samples, labels: Labels | None) -> dict[str, Rows]:
        """Return the encoder's inputs; only the decoder takes the labels of most conditional models."""
        if not self.manifest.encoder_takes_labels:
            return {"samples": samples}
        if labels is None:
            raise InvalidParameter(f"the encoder of the model {self.manifest.name!r} needs the label of each sample")
        return {"samples": samples, "labels": labels}

    def _require(self, task: TaskName) -> None:
        if task not in self.manifest.tasks:
            raise self._unsupported(task)

    def _unsupported(self, task: TaskName) -> UnsupportedTask:
        able = ", ".join(self.manifest.tasks)
        return UnsupportedTask(f"the model {self.manifest.name!r} cannot {task}; it can {able}")

    def _run(
        self, session: onnxruntime.InferenceSession, outputs: Sequence[str], inputs: Mapping[str, Rows]
    ) -> tuple[Array, ...]:
        return run_graph(session, outputs, inputs, self.rows_per_run)


def straight_line(ends: Latents, steps: int) -> Latents:
    """Return latents from the first to the second of two, both included. Shapes: (2, D) -> (steps, D)."""
    weight = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    line: Latents = (1 - weight) * ends[0] + weight * ends[1]
    return line
