"""
A configuration: one YAML file that says all that a run depends on.

`extra="forbid"` turns a misspelled option into an error, and the manifest keeps a copy of what was used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.manifest import ModelName
from training.errors import InvalidConfiguration

BUNDLED = Path(__file__).parent / "configs"

Positive = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
ImageSide = Annotated[int, Field(ge=8, le=256)]
Binarisation = Literal["none", "threshold", "dynamic"]
NoiseKind = Literal["gaussian", "masking", "salt-and-pepper"]
LikelihoodName = Literal["auto", "bernoulli", "gaussian"]
"""
Of the samples given the latents: `bernoulli` for values in [0, 1], `gaussian` with a learned variance for tables and
photographs; `auto` is bernoulli for grey images and gaussian for all else.
"""
NonNegative = Annotated[float, Field(ge=0.0)]


class Section(BaseModel):
    """A frozen part of a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Which data set, how its rows are read, and which of them are held out."""

    name: Literal["mnist", "digits"] | None = None
    """A data set that is known by name; `digits` comes with scikit-learn, `mnist` has a test part of its own."""
    path: str | None = None
    """A .npy, .npz, .csv, .parquet or IDX file, or a folder of images; looked up as it is, then in the data folder."""
    kind: Literal["image", "vector"] | None = None
    """
    Null: tables and matrices are vectors, stacks of three or four axes and folders are images. `vector` flattens
    images. Of four axes the second is the channels where it has 1 or 3 of them, else the last.
    """
    samples: str | None = None
    """.npz only: the member that holds the samples; null where there is one, or one called samples or x."""
    label: str | None = None
    """
    The column of a table, the member of a .npz file, or the IDX file beside one of samples, that holds labels; it is
    left out of training. Of a folder of images, the sub-folders are the labels.
    """
    image_size: tuple[ImageSide, ImageSide] | None = None
    """Height and width that the images of a folder are resized to; null where they are all of one size."""
    colour: Literal["grey", "rgb"] | None = None
    """What the images of a folder are converted to; null for grey where all are stored as grey, and RGB otherwise."""
    value_range: tuple[float, float] | None = None
    """
    The least and the largest number that a sample can have, as stored; any other is an error. Null: none for vectors;
    for images, 8 bits stand for 0 to 1, other numbers have the range 0 to 1 where they lie in it, else that of the
    training part, to which the other parts are clipped.
    """
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """Share of the rows, without the test part, that early stopping and checkpoint selection look at."""
    test: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    """Share of all rows that the report is measured on; `mnist` and `digits` have their own test part."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.name and self.path:
            raise ValueError("name and path exclude each other")
        if self.value_range and self.value_range[0] >= self.value_range[1]:
            raise ValueError("value_range: the first number must be below the second")
        return self


class PreprocessingConfig(Section):
    """
    What happens to a sample before the network sees it; fitted on the training part alone, and part of the graphs.

    In this order: log1p, clipping, scaling.
    """

    log1p: bool | tuple[str, ...] = False
    """log(1 + value), for counts and amounts: of all columns, or of those that are named."""
    clip_quantiles: tuple[Share, Share] | None = None
    """Values beyond these quantiles of their column's training part are moved to them; null for no clipping."""
    scaling: Literal["auto", "none", "range", "standardise"] = "auto"
    """
    `range` maps the value range onto [0, 1], of a table without one each column's own; `standardise` gives each
    column, or each channel of an image, mean 0 and variance 1; `auto` is the one that fits the likelihood.
    """

    @model_validator(mode="after")
    def _quantiles_in_order(self) -> Self:
        if self.clip_quantiles and self.clip_quantiles[0] >= self.clip_quantiles[1]:
            raise ValueError("clip_quantiles: the first number must be below the second")
        return self


class NetworkConfig(Section):
    """The layers of the encoder; the decoder mirrors them."""

    architecture: Literal["conv", "dense"]
    """Strided convolutions and a dense bottleneck, or fully connected layers."""
    latent_dim: Positive
    """The size of the code."""
    widths: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Channels (conv) or units (dense) of each layer from the outside in."""
    residual_blocks: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Conv only: residual blocks after each downsampling; empty for none."""
    hidden: Positive = 256
    """Conv only: units between the last feature map and the latents."""

    @model_validator(mode="after")
    def _blocks_fit_the_widths(self) -> Self:
        if self.residual_blocks and self.architecture != "conv":
            raise ValueError("residual_blocks belong to the architecture 'conv'")
        if self.residual_blocks and len(self.residual_blocks) != len(self.widths):
            raise ValueError(f"residual_blocks: expected {len(self.widths)}, one a width")
        return self


class AutoencoderObjective(Section):
    """Reconstruct the input."""

    family: Literal["autoencoder"]
    likelihood: LikelihoodName = "auto"
    sparsity: NonNegative = 0.0
    """Weight of the L1 norm of the latents, in nats per unit: a sparse autoencoder."""


class DenoisingObjective(Section):
    """Restore the clean input from a noisy one, after a layer-wise pretraining of the stack."""

    family: Literal["denoising-autoencoder"]
    likelihood: LikelihoodName = "auto"
    noise: NoiseKind = "gaussian"
    amount: NonNegative | tuple[NonNegative, NonNegative]
    """
    The standard deviation of Gaussian noise, in units of the value range (of a table without one: of what the
    preprocessing gives), or the share of numbers that are replaced. Two numbers: drawn from this interval, for each
    sample.
    """
    pretraining_epochs: Annotated[int, Field(ge=0)]
    """Epochs for each layer; 0 leaves the pretraining out."""
    pretraining_noise_std: NonNegative = 0.3
    """Gaussian noise on the input of an inner layer, in units of that input's own standard deviation."""

    @model_validator(mode="after")
    def _an_interval(self) -> Self:
        low, high = self.interval
        if low > high:
            raise ValueError("amount: the first number must not exceed the second")
        if self.noise != "gaussian" and high > 1:
            raise ValueError(f"amount: {self.noise} noise replaces a share of the numbers, at most 1")
        return self

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends of the amounts, equal where the level is fixed."""
        return self.amount if isinstance(self.amount, tuple) else (self.amount, self.amount)


class VariationalObjective(Section):
    """Maximise the evidence lower bound."""

    family: Literal["variational-autoencoder"]
    likelihood: LikelihoodName = "auto"
    beta: NonNegative = 1.0
    """Weight of the KL term; 1 is the bound itself, since both terms are nats per sample."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs over which the weight of the KL term rises from 0 to beta."""
    free_bits: NonNegative = 0.0
    """Nats of KL for each latent dimension, as a mean over the batch, below which the KL is not reduced further."""
    importance_samples: Positive = 1
    """Draws of the posterior in the importance-weighted bound; 1 is the evidence lower bound."""
    binarisation: Binarisation = "none"
    """
    Bernoulli only. `dynamic`: each value is drawn anew as 0 or 1, with the value as its probability; `threshold`: it
    is rounded.
    """
    conditional: bool = False
    """The label is an input of the decoder; the data must have labels."""

    @model_validator(mode="after")
    def _options_that_fit(self) -> Self:
        if self.importance_samples > 1 and self.free_bits:
            raise ValueError("free_bits have no meaning in a bound with several importance_samples")
        if self.binarisation != "none" and self.likelihood == "gaussian":
            raise ValueError("binarisation belongs to the Bernoulli likelihood")
        return self


class OptimisationConfig(Section):
    """AdamW, its schedule, and when to stop."""

    epochs: Positive
    """Passes over the training rows, of the last stage where there are several."""
    batch_size: Positive = 256
    """Rows of a step; the last batch of an epoch may be smaller."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """At the top of the schedule."""
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    """Decoupled from the gradient, as in AdamW."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After a linear warm-up over the first twentieth of the steps."""
    gradient_clip: Annotated[float, Field(gt=0)] | None = None
    """Largest norm of the gradient, of a loss in nats per sample; null for no clipping."""
    ema_decay: Fraction = 0.999
    """Of the moving average of the weights that is validated and exported; 0 for the weights themselves."""
    patience: Positive = 10
    """Validations without an improvement before training stops."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    """bf16-mixed: products in bfloat16, weights and losses in float32; faster where the processor has it."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of the weights, the split, the order of the rows and all noise."""


class EvaluationConfig(Section):
    """What the report measures beside what every model's does."""

    importance_samples: Annotated[int, Field(ge=0)] = 0
    """Draws for each test sample in the estimate of log p(x) of a variational model; 0 leaves it out."""
    noise_kinds: tuple[NoiseKind, ...] = ("gaussian",)
    """Of a denoising model: what its test samples are corrupted with."""
    noise_amounts: tuple[NonNegative, ...] = (0.4, 0.5)
    """How much, in the units of the service's option `amount`; each with each kind."""


class Config(Section):
    """All that a run depends on."""

    name: ModelName
    """The model's name in the repository."""
    description: str
    data: DataConfig = DataConfig()
    """May be left out where the command line names the data."""
    preprocessing: PreprocessingConfig = PreprocessingConfig()
    network: NetworkConfig
    objective: Annotated[
        AutoencoderObjective | DenoisingObjective | VariationalObjective, Field(discriminator="family")
    ]
    optimisation: OptimisationConfig
    evaluation: EvaluationConfig = EvaluationConfig()

    @property
    def binarisation(self) -> Binarisation:
        """Of the samples that a variational model is trained and measured on; `none` of the others."""
        return self.objective.binarisation if isinstance(self.objective, VariationalObjective) else "none"


def load_config(name_or_path: str) -> Config:
    """
    A configuration from a file, or a bundled one by its name.

    Raises InvalidConfiguration, naming the file and each member that is wrong.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = BUNDLED / f"{name_or_path}.yaml"
    if not path.is_file():
        raise InvalidConfiguration(
            f"no configuration file {name_or_path!r}, and no bundled configuration of that name; "
            f"bundled: {', '.join(bundled_configs())}"
        )
    try:
        return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise InvalidConfiguration(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        raise InvalidConfiguration(f"{path}: {describe_problems(error)}") from error


def describe_problems(error: ValidationError) -> str:
    """What is wrong in one line: each member with its place."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())


def bundled_configs() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.stem for path in BUNDLED.glob("*.yaml"))
