"""
The contract between training and serving: `model.json`, the manifest of one version of a model.

A version is a folder `<name>/<version>/`. Its manifest is written last, so that a folder with a manifest is complete.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from app.files import hash_file, read_file
from app.inputs import Contract, Dimension, ModelInput
from app.priors import DeterministicLatent, FittedPrior, GaussianLatent, check_prior
from app.scorers import FittedScorer

MANIFEST, MAX_MANIFEST_BYTES = "model.json", 1024 * 1024
ENCODER, DECODER, GOLDEN = "encoder.onnx", "decoder.onnx", "golden.npz"
DENOISER, PRIOR, SCORER = "denoiser.onnx", "prior.onnx", "scorer.onnx"  # graphs that only some versions have
CARD, FIGURES, LATENT_MAP = "card.md", "figures", "latent_map.npz"

TaskName = Literal["encode", "decode", "reconstruct", "denoise", "generate", "interpolate", "score"]
Family = Literal["autoencoder", "denoising-autoencoder", "variational-autoencoder"]

FAMILY_TASKS: dict[Family, tuple[TaskName, ...]] = {
    "autoencoder": ("encode", "decode", "reconstruct", "interpolate"),
    "denoising-autoencoder": ("encode", "decode", "reconstruct", "denoise", "interpolate"),
    "variational-autoencoder": ("encode", "decode", "reconstruct", "generate", "interpolate"),
}
"""The tasks of each family."""

ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FilePath = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class BernoulliLikelihood(Contract):
    """p(x|z) = Bernoulli(decode(z)), of preprocessed values in [0, 1]."""

    kind: Literal["bernoulli"] = "bernoulli"


class GaussianLikelihood(Contract):
    """p(x|z) = N(decode(z), diag(exp(logvar))), of preprocessed values."""

    kind: Literal["gaussian"] = "gaussian"
    logvar: tuple[float, ...]
    """One number for each feature of a vector, or for each channel of an image."""


class Preprocessing(Contract):
    """
    The first step of the encoder, which the decoder reverses last: x = (clip(log1p(sample)) - shift) / scale.

    Each tuple has one number for each feature of a vector, or for each channel of an image.
    """

    log1p: tuple[bool, ...]
    low: tuple[float | None, ...]
    """None: not clipped."""
    high: tuple[float | None, ...]
    shift: tuple[float, ...]
    scale: tuple[float, ...]


class FileDigest(Contract):
    """The checksum and size of a file."""

    sha256: Sha256
    bytes: Annotated[int, Field(ge=1)]

    @classmethod
    def of(cls, path: Path, max_bytes: int | None = None) -> FileDigest:
        """Return the digest of a file on disk. Raises OSError if it is not a regular file or larger than allowed."""
        return cls(sha256=(digest := hash_file(path, max_bytes))[0], bytes=digest[1])


class Measurement(Contract):
    """Measured numbers, with their data set and protocol."""

    data_set: str
    protocol: str
    values: dict[str, float]


class Training(Contract):
    """Everything needed to train the model again."""

    configuration: dict[str, Any]
    data_fingerprint: Sha256
    libraries: dict[str, str]
    seed: int
    minutes: Annotated[float, Field(ge=0)]
    hardware: str
    finished: str
    """Date, ISO 8601, UTC."""
    warnings: tuple[str, ...] = ()
    """Problems that did not stop the run: a collapsed posterior, overfitting, a PCA that does better."""
    cut_short: bool = False
    """True if the run ended before its training did, by a limit on its time."""


class Parity(Contract):
    """The difference between the outputs of onnxruntime and torch when the graphs were exported."""

    max_abs_difference: Annotated[float, Field(ge=0)]
    batch_sizes: tuple[Dimension, ...]


class Manifest(Contract):
    """Everything that a client, the server or an operator must know about one version of a model."""

    format: Literal[1, 2] = 2
    """2 since inputs have `range_origin` and further members; in a manifest of format 1 they have their defaults."""
    name: ModelName
    version: Annotated[int, Field(ge=1)]
    description: str
    family: Family
    tasks: Annotated[tuple[TaskName, ...], Field(min_length=1)]
    input: ModelInput
    latent: Annotated[DeterministicLatent | GaussianLatent, Field(discriminator="kind")]
    labels: tuple[str, ...] = ()
    """Labels of a conditional model, whose decoder takes an index into them beside the latents; empty for others."""
    encoder_takes_labels: bool = False
    """True if the encoder of a conditional model takes an index of a label, too, beside the samples."""
    likelihood: Annotated[BernoulliLikelihood | GaussianLikelihood, Field(discriminator="kind")] | None = None
    """The likelihood that training maximised; None if it is unknown."""
    prior: FittedPrior | None = None
    """The prior of the latents that `generate` draws from; None: N(0, I) of a variational model, none of others."""
    scorer: FittedScorer | None = None
    """The scorer of anomalies; None if the version has no `scorer.onnx`."""
    preprocessing: Preprocessing | None = None
    """Part of the graphs, and repeated here so that errors can be measured in the units of training."""
    files: dict[FilePath, FileDigest]
    """Every file of the version's folder except the manifest, by its path inside the folder."""
    metrics: tuple[Measurement, ...] = ()
    training: Training | None = None
    """None for an imported model."""
    parity: Parity | None = None

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(labels) == 1:
            raise ValueError(f"a conditional model has at least 2 labels, got only {labels[0]!r}")
        if wrong := [label for label in labels if not label or labels.count(label) > 1]:
            raise ValueError(f"labels must differ, and none be empty, got {wrong[0]!r}")
        return labels

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.encoder_takes_labels and not self.labels:
            raise ValueError("encoder_takes_labels: the model has no labels")
        if "generate" in self.tasks and self.latent.kind != "gaussian" and not self.has_prior:
            raise ValueError(f"the task 'generate' needs a latent space with a prior (kind 'gaussian'), or {PRIOR}")
        if missing := [name for name in (ENCODER, DECODER, GOLDEN) if name not in self.files]:
            raise ValueError(f"files: {missing[0]} is missing")
        if self.has_denoiser and ("denoise" not in self.tasks or self.labels):
            raise ValueError(f"files: {DENOISER} belongs to a model that has the task 'denoise' and no labels")
        self._check_prior()
        self._check_scorer()
        return self

    def _check_prior(self) -> None:
        if self.has_prior != (self.prior is not None):
            raise ValueError(f"{PRIOR} must be in files if, and only if, the manifest has the member 'prior'")
        if self.prior and (self.format == 1 or "generate" not in self.tasks):
            raise ValueError("a manifest with the member 'prior' has format 2 and the task 'generate'")
        check_prior(self.prior, self.has_trained_prior, len(self.labels))

    def _check_scorer(self) -> None:
        members = {self.has_scorer, self.scorer is not None, "score" in self.tasks}
        if len(members) > 1 or (self.scorer and self.format == 1):
            raise ValueError(f"the member 'scorer', the task 'score' and {SCORER} need each other, and format 2")

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch axis."""
        return tuple(self.input.shape)

    @property
    def latent_dim(self) -> int:
        """The number of latent dimensions."""
        return self.latent.dimension

    @property
    def encoder_outputs(self) -> tuple[str, ...]:
        """The names of the encoder's outputs, each of shape (batch, latent_dim)."""
        return ("mu", "logvar") if self.latent.kind == "gaussian" else ("latents",)

    @property
    def has_denoiser(self) -> bool:
        """True if a graph of its own does the task denoise, in place of the encoder and the decoder."""
        return DENOISER in self.files

    @property
    def has_prior(self) -> bool:
        """True if a graph of its own makes the latents that `generate` decodes."""
        return PRIOR in self.files

    @property
    def has_trained_prior(self) -> bool:
        """True if the prior is that of the bound on log p(x), which was trained with one; others are fitted later."""
        return self.latent.kind == "gaussian" and self.latent.prior == "trained"

    @property
    def has_scorer(self) -> bool:
        """True if a graph scores anomalies."""
        return SCORER in self.files

    @property
    def noise_dim(self) -> int:
        """The number of standard normal numbers that a generated sample is made of."""
        return self.prior.noise_dimension if self.prior else self.latent_dim

    @property
    def input_size(self) -> int:
        """The number of values in one sample."""
        return math.prod(self.input.shape)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a version's folder. Raises OSError or pydantic's ValidationError."""
        return cls.model_validate_json(read_file(folder / MANIFEST, MAX_MANIFEST_BYTES))

    def with_files(self, folder: Path) -> Manifest:
        """Return the manifest, checked anew, with the digest of every file in a folder."""
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
        digests = {path.relative_to(folder).as_posix(): FileDigest.of(path) for path in files}
        return Manifest.model_validate({**self.model_dump(), "files": digests})

    def write(self, folder: Path) -> None:
        """Write `model.json`. Call this last: a folder with a manifest is complete."""
        (folder / MANIFEST).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
