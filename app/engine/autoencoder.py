"""One autoencoder on onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from app.engine.corruption import Noise, corrupt
from app.errors import EmptyBatch, InvalidModel, InvalidParameter, NotFinite, OutOfRange, UnsupportedTask, WrongShape
from app.manifest import DECODER, ENCODER, ImageInput, Manifest, Task

Array = npt.NDArray[np.float32]

CHUNK = 256
"""Rows of one run of a graph: bounds the memory that a large request takes."""


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
            return _finite("latents", self.mu + np.exp(np.float32(0.5) * self.logvar) * noise)


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

    Methods check what they are given and raise a ServiceError that says what was expected. They may be called from
    several threads at once.
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
        self._check_signature(encoder, "samples", manifest.input_shape, self._heads, (manifest.latent_dim,))
        self._check_signature(decoder, "latents", (manifest.latent_dim,), ["samples"], manifest.input_shape)

    @classmethod
    def open(cls, folder: Path, manifest: Manifest, threads: int = 1) -> Autoencoder:
        """The model of a version's folder. Raises InvalidModel; checksums are the repository's business."""
        return cls(manifest, open_session(folder / ENCODER, threads), open_session(folder / DECODER, threads))

    def posterior(self, samples: Array) -> Posterior:
        """The encoder's whole answer."""
        outputs = self._run(self._encoder, self._heads, "samples", self.check_samples(samples))
        return Posterior(outputs[0], outputs[1] if len(outputs) > 1 else None)

    def sample_posterior(self, samples: Array, seed: int) -> Array:
        """One seeded draw from each sample's posterior. Raises InvalidParameter where the encoder has none."""
        if self.manifest.latent.kind != "gaussian":
            raise InvalidParameter(
                f"the model {self.manifest.name!r} is deterministic: it has no posterior to draw from"
            )
        return self.posterior(samples).sample(seed)

    def encode(self, samples: Array) -> Array:
        """Latents; the posterior mean, of a variational model."""
        return self.posterior(samples).mu

    def decode(self, latents: Array) -> Array:
        """Samples."""
        return self._run(self._decoder, ["samples"], "latents", self.check_latents(latents))[0]

    def reconstruct(self, samples: Array) -> Reconstruction:
        """Encode, then decode, and compare."""
        samples = self.check_samples(samples)
        reconstructed = self.decode(self.encode(samples))
        with np.errstate(over="ignore"):
            errors = np.square(reconstructed - samples).reshape(len(samples), -1).mean(axis=1)
        return Reconstruction(reconstructed, _finite("errors", errors))

    def denoise(self, samples: Array) -> Array:
        """Encode, then decode, by a model that was trained to leave the noise out."""
        self.require("denoise")
        return self.decode(self.encode(samples))

    def corrupt(self, samples: Array, noise: Noise, amount: float, seed: int) -> Array:
        """Noisy samples, for a demonstration of `denoise`. Raises InvalidParameter where there is no value range."""
        value_range = self.manifest.input.value_range
        if value_range is None:
            raise InvalidParameter(f"the model {self.manifest.name!r} has no value range to measure noise in")
        return corrupt(self.check_samples(samples), noise, amount, value_range, seed)

    def corrupt_and_denoise(self, samples: Array, noise: Noise, amount: float, seed: int) -> tuple[Array, Array]:
        """The noisy samples and what the model makes of them, in one call, so that a queue accepts both or neither."""
        noisy = self.corrupt(samples, noise, amount, seed)
        return noisy, self.denoise(noisy)

    def generate(self, count: int, seed: int, temperature: float = 1.0) -> Array:
        """Samples decoded from draws of the prior, whose standard deviation is multiplied by the temperature."""
        return self.decode(self.draw_latents(count, seed, temperature))

    def draw_latents(self, count: int, seed: int, temperature: float = 1.0) -> Array:
        """Draws from the prior: drawing more leaves the first ones as they were."""
        self.require("generate")
        noise = np.random.default_rng(seed).standard_normal((count, self.manifest.latent_dim), dtype=np.float32)
        return np.float32(temperature) * noise

    def interpolate(self, samples: Array, steps: int) -> Array:
        """
        Samples decoded along the straight line between the latents of two, both ends included.

        Shapes: (2, *input_shape) -> (steps, *input_shape)
        """
        samples = self.check_samples(samples)
        if len(samples) != 2:
            raise WrongShape(f"expected 2 samples to interpolate between, got {len(samples)}")
        start, end = self.encode(samples)
        weight = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
        return self.decode((1 - weight) * start + weight * end)

    def require(self, task: Task) -> None:
        """Raise UnsupportedTask unless the model was made for this task."""
        if task not in self.manifest.tasks:
            raise UnsupportedTask(
                f"the model {self.manifest.name!r} cannot {task}; it can {', '.join(self.manifest.tasks)}"
            )

    def check_samples(self, samples: Array) -> Array:
        """
        The samples with their full shape. They may come flat, and one-channel images without their channel axis.

        Raises EmptyBatch, WrongShape, NotFinite or OutOfRange.
        """
        shape = self.manifest.input_shape
        accepted = [shape]
        if len(shape) > 1:
            accepted.append((self.manifest.input_size,))
        if isinstance(self.manifest.input, ImageInput) and shape[0] == 1:
            accepted.append(shape[1:])
        samples = _shaped("samples", samples, accepted)
        value_range = self.manifest.input.value_range
        if value_range and (samples.min() < value_range.low or samples.max() > value_range.high):
            raise OutOfRange(
                f"samples: expected numbers from {value_range.low:g} to {value_range.high:g}, "
                f"got {samples.min()} to {samples.max()}"
            )
        return samples

    def check_latents(self, latents: Array) -> Array:
        """The latents as they came. Raises EmptyBatch, WrongShape or NotFinite."""
        return _shaped("latents", latents, [(self.manifest.latent_dim,)])

    def _run(self, session: onnxruntime.InferenceSession, outputs: list[str], name: str, rows: Array) -> list[Array]:
        parts = [session.run(outputs, {name: rows[at : at + CHUNK]}) for at in range(0, len(rows), CHUNK)]
        results = [column[0] if len(column) == 1 else np.concatenate(column) for column in zip(*parts, strict=True)]
        return [_finite(output, result) for output, result in zip(outputs, results, strict=True)]

    @staticmethod
    def _check_signature(
        session: onnxruntime.InferenceSession,
        given: str,
        given_shape: tuple[int, ...],
        got: list[str],
        got_shape: tuple[int, ...],
    ) -> None:
        expected = [(given, given_shape)], [(name, got_shape) for name in got]
        found = tuple(
            [(node.name, tuple(node.shape[1:])) for node in nodes]
            for nodes in (session.get_inputs(), session.get_outputs())
        )
        if found != expected:
            raise InvalidModel(f"graph: expected inputs and outputs {expected}, found {found}")
        for node in (*session.get_inputs(), *session.get_outputs()):
            if node.type != "tensor(float)" or isinstance(node.shape[0], int):
                raise InvalidModel(f"graph: {node.name} must be float32 with a symbolic batch axis")


def _finite(what: str, result: Array) -> Array:
    """The same. Raises NotFinite, since JSON could only say null."""
    if not np.isfinite(result).all():
        raise NotFinite(f"expected numbers that the model can calculate with, but they lead to infinite {what}")
    return result


def _shaped(what: str, rows: Array, accepted: Sequence[tuple[int, ...]]) -> Array:
    if rows.ndim == 0 or len(rows) == 0:
        raise EmptyBatch(f"{what}: expected at least one row, got none")
    if rows.shape[1:] not in accepted:
        expected = " or ".join(str(["rows", *shape]).replace("'", "") for shape in accepted)
        hint = "; one row alone must still be in a list" if rows.shape in accepted else ""
        raise WrongShape(f"{what}: expected shape {expected}, got {list(rows.shape)}{hint}")
    if not np.isfinite(rows).all():
        at = [int(index) for index in np.argwhere(~np.isfinite(rows))[0]]
        raise NotFinite(f"{what}: expected finite float32 numbers, got {rows[tuple(at)]} at {at}")
    return np.ascontiguousarray(rows.reshape(len(rows), *accepted[0]), dtype=np.float32)
