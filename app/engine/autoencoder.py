"""One autoencoder on onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from app.engine.checks import RowCheck, accepted_shapes, finite
from app.engine.corruption import Noise, corrupt
from app.engine.labels import Labels, check_labels, label_rows
from app.engine.signature import Tensor, check_signature
from app.errors import InvalidModel, InvalidParameter, UnsupportedTask, WrongShape
from app.manifest import DECODER, ENCODER, Manifest, Task

Array = npt.NDArray[np.float32]

CHUNK = 256
"""Rows of one run of a graph, at most: bounds the memory that a large request takes."""
CHUNK_NUMBERS = 2**20
"""Numbers of the samples of one run, at most: a large image has as many as hundreds of small ones."""


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """
    A session on the CPU whose threads sleep when there is nothing to do, and without the memory arena, which grows
    with every new batch size. Raises InvalidModel.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for each failure, under Exception alone
        raise InvalidModel(f"{path.name} cannot be loaded: {str(error).splitlines()[0]}") from error


@dataclass(frozen=True)
class Posterior:
    """What an encoder says of samples; `logvar` is None where the latent space is deterministic."""

    mu: Array
    logvar: Array | None

    def sample(self, seed: int) -> Array:
        """One seeded draw a row; the mean itself, of a deterministic encoder."""
        if self.logvar is None:
            return self.mu
        noise = np.random.default_rng(seed).standard_normal(self.mu.shape, dtype=np.float32)
        with np.errstate(over="ignore"):
            return finite("latents", self.mu + np.exp(np.float32(0.5) * self.logvar) * noise)


@dataclass(frozen=True)
class Reconstruction:
    """Samples that came back, and each one's mean squared error in squared units of the samples."""

    samples: Array
    errors: Array


class Autoencoder:
    """
    An encoder and a decoder that belong together.

        samples  (B, *manifest.input_shape)  float32, in the manifest's range
        latents  (B, manifest.latent_dim)    float32
        labels   (B,)                        int64, numbers into manifest.labels; of a conditional model alone

    Methods check what they are given and raise a ServiceError that says what was expected, but for those called
    `run_…`: functions of rows that were checked, which several requests may share. All may be called from several
    threads at once. What decodes takes `label`, the name of one label for all rows: a conditional model needs it, and
    another refuses it.
    """

    def __init__(
        self,
        manifest: Manifest,
        encoder: onnxruntime.InferenceSession,
        decoder: onnxruntime.InferenceSession,
    ) -> None:
        self.manifest = manifest
        self._encoder = encoder
        self._decoder = decoder
        self._heads = ["mu", "logvar"] if manifest.latent.kind == "gaussian" else ["latents"]
        self._check_samples = RowCheck("samples", accepted_shapes(manifest), manifest.input.value_range)
        self._check_latents = RowCheck("latents", [(manifest.latent_dim,)], None)
        self.rows_per_run = max(1, min(CHUNK, CHUNK_NUMBERS // manifest.input_size))
        """Rows of one run of a graph, at most."""
        samples, latents = Tensor("samples", manifest.input_shape), Tensor("latents", (manifest.latent_dim,))
        labels = [Tensor("labels", (), "int64")] if manifest.labels else []
        check_signature(encoder, [samples], [Tensor(head, latents.shape) for head in self._heads])
        check_signature(decoder, [latents, *labels], [samples])

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, threads: int = 1) -> Autoencoder:
        """The model of a version's folder. Raises InvalidModel; checksums are the repository's business."""
        return cls(manifest, open_session(folder / ENCODER, threads), open_session(folder / DECODER, threads))

    def run_encoder(self, samples: Array) -> tuple[Array, ...]:
        """All that the encoder says: latents, or mu and logvar."""
        return self._run(self._encoder, self._heads, {"samples": samples})

    def run_mean(self, samples: Array) -> tuple[Array]:
        """The latents, or mu alone."""
        return (self._run(self._encoder, self._heads[:1], {"samples": samples})[0],)

    def run_decoder(self, latents: Array, labels: Labels | None = None) -> tuple[Array]:
        """Samples. A conditional model needs a label's number for each row."""
        inputs: dict[str, Array | Labels] = {"latents": latents}
        if labels is not None:
            inputs["labels"] = labels
        return (self._run(self._decoder, ["samples"], inputs)[0],)

    def run_both(self, samples: Array, labels: Labels | None = None) -> tuple[Array]:
        """Samples, encoded and decoded."""
        return self.run_decoder(*self.run_mean(samples), labels)

    def run_reconstruction(self, samples: Array, labels: Labels | None = None) -> tuple[Array, Array]:
        """Samples, encoded and decoded, and the mean squared error of each."""
        (reconstructed,) = self.run_both(samples, labels)
        with np.errstate(over="ignore"):
            errors = np.square(reconstructed - samples).reshape(len(samples), -1).mean(axis=1)
        return reconstructed, finite("errors", errors)

    def posterior(self, samples: Array) -> Posterior:
        """The encoder's whole answer."""
        outputs = self.run_encoder(self.check_samples(samples))
        return Posterior(outputs[0], outputs[1] if len(outputs) > 1 else None)

    def sample_posterior(self, samples: Array, seed: int) -> Array:
        """One seeded draw from each sample's posterior. Raises InvalidParameter where the encoder has none."""
        self.require_posterior()
        return self.posterior(samples).sample(seed)

    def encode(self, samples: Array) -> Array:
        """Latents; the posterior mean, of a variational model."""
        return self.run_mean(self.check_samples(samples))[0]

    def decode(self, latents: Array, label: str | None = None) -> Array:
        """Samples. Raises InvalidParameter where the label does not fit the model."""
        latents = self.check_latents(latents)
        return self.decode_rows(latents, label_rows(self.manifest, label, len(latents)))

    def decode_rows(self, latents: Array, labels: Labels | None = None) -> Array:
        """Samples, each of the label with its own number; `labels` is None where the model is not conditional."""
        latents = self.check_latents(latents)
        return self.run_decoder(latents, check_labels(self.manifest, labels, len(latents)))[0]

    def reconstruct(self, samples: Array, label: str | None = None) -> Reconstruction:
        """Encode, then decode, and compare."""
        samples = self.check_samples(samples)
        return Reconstruction(*self.run_reconstruction(samples, label_rows(self.manifest, label, len(samples))))

    def denoise(self, samples: Array, label: str | None = None) -> Array:
        """Encode, then decode, by a model that was trained to leave the noise out."""
        self.require("denoise")
        samples = self.check_samples(samples)
        return self.run_both(samples, label_rows(self.manifest, label, len(samples)))[0]

    def corrupt(self, samples: Array, noise: Noise, amount: float, seed: int) -> Array:
        """Noisy samples, for a demonstration of `denoise`. Raises InvalidParameter where there is no value range."""
        value_range = self.manifest.input.value_range
        if value_range is None:
            raise InvalidParameter(f"the model {self.manifest.name!r} has no value range to measure noise in")
        return corrupt(self.check_samples(samples), noise, amount, value_range, seed)

    def generate(self, count: int, seed: int, temperature: float = 1.0, label: str | None = None) -> Array:
        """
        Samples decoded from draws of the prior, whose standard deviation is multiplied by the temperature.

        A seed draws the same latents under every label.
        """
        return self.decode(self.draw_latents(count, seed, temperature), label)

    def draw_latents(self, count: int, seed: int, temperature: float = 1.0) -> Array:
        """Draws from the prior: drawing more leaves the first ones as they were."""
        self.require("generate")
        noise = np.random.default_rng(seed).standard_normal((count, self.manifest.latent_dim), dtype=np.float32)
        return np.float32(temperature) * noise

    def interpolate(self, samples: Array, steps: int, label: str | None = None) -> Array:
        """
        Samples decoded along the straight line between the latents of two, both ends included.

        Shapes: (2, *input_shape) -> (steps, *input_shape)
        """
        samples = self.check_ends(samples)
        labels = label_rows(self.manifest, label, steps)
        return self.run_decoder(straight_line(*self.run_mean(samples), steps), labels)[0]

    def require(self, task: Task) -> None:
        """Raise UnsupportedTask unless the model was made for this task."""
        if task not in self.manifest.tasks:
            raise UnsupportedTask(
                f"the model {self.manifest.name!r} cannot {task}; it can {', '.join(self.manifest.tasks)}"
            )

    def require_posterior(self) -> None:
        """Raise InvalidParameter of a deterministic model."""
        if self.manifest.latent.kind != "gaussian":
            raise InvalidParameter(
                f"the model {self.manifest.name!r} is deterministic: it has no posterior to draw from"
            )

    def check_samples(self, samples: Array) -> Array:
        """
        The samples with their full shape. They may come flat, and one-channel images without their channel axis.

        Raises EmptyBatch, WrongShape, NotFinite or OutOfRange.
        """
        return self._check_samples(samples)

    def check_ends(self, samples: Array) -> Array:
        """The two samples that an interpolation runs between. Raises WrongShape, and as `check_samples`."""
        samples = self.check_samples(samples)
        if len(samples) != 2:
            raise WrongShape(f"expected 2 samples to interpolate between, got {len(samples)}")
        return samples

    def check_latents(self, latents: Array) -> Array:
        """The latents as they came. Raises EmptyBatch, WrongShape or NotFinite."""
        return self._check_latents(latents)

    def _run(
        self, session: onnxruntime.InferenceSession, outputs: list[str], inputs: Mapping[str, Array | Labels]
    ) -> tuple[Array, ...]:
        """The outputs for all rows, which the inputs share, calculated in chunks."""
        rows, size = len(next(iter(inputs.values()))), self.rows_per_run
        if rows <= size:
            return tuple(map(finite, outputs, session.run(outputs, inputs)))
        chunks = [{name: array[at : at + size] for name, array in inputs.items()} for at in range(0, rows, size)]
        parts = [session.run(outputs, chunk) for chunk in chunks]
        return tuple(map(finite, outputs, map(np.concatenate, zip(*parts, strict=True))))


def straight_line(ends: Array, steps: int) -> Array:
    """Latents from the first to the second of two, both included. Shapes: (2, D) -> (steps, D)"""
    weight = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    along: Array = (1 - weight) * ends[0] + weight * ends[1]
    return along
