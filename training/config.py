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


class Section(BaseModel):
    """A frozen part of a configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Which data set, and how much of its training part is held out for validation."""

    name: Literal["mnist", "digits"]
    validation: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.05
    """Share of the training rows that early stopping and checkpoint selection look at."""


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


class DenoisingObjective(Section):
    """Restore the clean input from a noisy one, after a layer-wise pretraining of the stack."""

    family: Literal["denoising-autoencoder"]
    noise_std: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]
    """Standard deviation of the Gaussian noise, in units of the value range: drawn from this interval."""
    pretraining_epochs: Annotated[int, Field(ge=0)]
    """Epochs for each layer; 0 leaves the pretraining out."""
    pretraining_noise_std: Annotated[float, Field(ge=0)] = 0.3
    """Noise on a layer's input, in units of that input's own standard deviation."""

    @model_validator(mode="after")
    def _an_interval(self) -> Self:
        if self.noise_std[0] > self.noise_std[1]:
            raise ValueError("noise_std: the first number must not exceed the second")
        return self


class VariationalObjective(Section):
    """Maximise the evidence lower bound."""

    family: Literal["variational-autoencoder"]
    beta: Annotated[float, Field(ge=0)] = 1.0
    """Weight of the KL term; 1 is the bound itself, since both terms are nats per sample."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs over which the weight of the KL term rises from 0 to beta."""


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


class Config(Section):
    """All that a run depends on."""

    name: ModelName
    """The model's name in the repository."""
    description: str
    data: DataConfig
    network: NetworkConfig
    objective: Annotated[
        AutoencoderObjective | DenoisingObjective | VariationalObjective, Field(discriminator="family")
    ]
    optimisation: OptimisationConfig


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
