"""The options of each task. An unknown option is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.engine.corruption import Noise
from app.parameters import exclusive, meaningless

Seed = Annotated[
    int | None,
    Field(
        ge=0,
        le=2**53 - 1,
        description="The same seed gives the same draws. Without a seed, the answer names the one that was used.",
    ),
]
MAX_SCALE = 32
"""The largest factor by which a PNG answer is enlarged."""


class Options(BaseModel):
    """The options of a task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answer_rows: ClassVar[int | None] = None
    """The rows of the answer; None: as many as the request has."""

    @property
    def lacks(self) -> Mapping[str, str]:
        """The arrays that the result lacks, each with the options that would add it."""
        return {}

    @property
    def hides(self) -> frozenset[str]:
        """The arrays that a JSON answer leaves out."""
        return frozenset()

    @property
    def json_only(self) -> str | None:
        """The name of an option that is set and has no meaning for an answer that is not JSON."""
        return None

    @property
    def png_columns(self) -> int | None:
        """The number of samples in a row of a PNG answer; None for a square."""
        return None

    @property
    def png_scale(self) -> int:
        """The height and width of a sample's pixel in a PNG answer."""
        return 1

    @property
    def gives_objects(self) -> bool:
        """True if a JSON answer has samples as objects by feature name, and not as arrays."""
        return False


class EncodeOptions(Options):
    """The options of `encode`."""

    sample: bool = Field(False, description="Draw from the posterior instead of taking its mean (variational models).")
    seed: Seed = None
    label: str | None = Field(
        None,
        description="The samples' label, which models with `encoder_takes_labels` require and others refuse.",
    )

    @model_validator(mode="after")
    def _seed_needs_sample(self) -> Self:
        if self.seed is not None and not self.sample:
            raise meaningless("seed", "sample=true: the mean is not random")
        return self


class PictureOptions(Options):
    """The options of pictures, which every task whose answer may be one has."""

    columns: Annotated[int | None, Field(ge=1)] = Field(
        None, description="Samples in a row of a PNG answer; by default the square root of their number."
    )
    scale: Annotated[int, Field(ge=1, le=MAX_SCALE)] = Field(
        1, description="Height and width of each pixel of a sample in a PNG answer."
    )

    @property
    def png_columns(self) -> int | None:
        """The number of samples in a row of a PNG answer; None for a square."""
        return self.columns

    @property
    def png_scale(self) -> int:
        """The height and width of a sample's pixel in a PNG answer."""
        return self.scale


class DecodeOptions(PictureOptions):
    """The options of `decode` and `reconstruct`, which every task that decodes has too."""

    rows: Literal["arrays", "objects"] = Field(
        "arrays",
        description="Samples in a JSON answer: arrays, or objects by feature name.",
    )
    label: str | None = Field(
        None,
        description="The label to decode with: one of the manifest's `labels`, which a conditional model requires. "
        "Other models have no labels and refuse it.",
    )

    @property
    def gives_objects(self) -> bool:
        """True if a JSON answer has samples as objects by feature name, and not as arrays."""
        return self.rows == "objects"


class DenoiseOptions(DecodeOptions):
    """The options of `denoise`."""

    noise: Noise | None = Field(None, description="Corrupt the samples first, for a demonstration.")
    amount: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="The amount of noise, by default 0.5: the standard deviation in units of the value range "
        "(gaussian), or the share of numbers that are replaced.",
    )
    seed: Seed = None

    @model_validator(mode="after")
    def _amount_and_seed_need_noise(self) -> Self:
        if self.noise is None and (self.amount is not None or self.seed is not None):
            option = "seed" if self.amount is None else "amount"
            raise meaningless(option, "noise: denoising itself is not random")
        return self


class GenerateOptions(DecodeOptions):
    """The options of `generate`."""

    count: Annotated[int, Field(ge=1)] = Field(
        16, description="The number of samples. A larger count leaves the first samples as they were."
    )
    seed: Seed = None
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = Field(
        1.0, description="Factor on the noise that the prior makes latents of: below 1, more typical samples."
    )

    @property
    def answer_rows(self) -> int:  # type: ignore[override]
        """The rows of the answer."""
        return self.count


class InterpolateOptions(DecodeOptions):
    """The options of `interpolate`."""

    columns: Annotated[int | None, Field(ge=1)] = Field(
        None, description="Samples in a row of a PNG answer; by default all of them."
    )
    steps: Annotated[int, Field(ge=2)] = Field(8, description="The number of samples, both ends included.")

    @property
    def answer_rows(self) -> int:  # type: ignore[override]
        """The rows of the answer."""
        return self.steps

    @property
    def png_columns(self) -> int | None:
        """The number of samples in a row of a PNG answer: by default all of them."""
        return self.columns or self.steps


Level = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class ScoreOptions(PictureOptions):
    """The options of `score`."""

    alpha: Level | None = Field(
        None,
        description="Adds `anomalous`: true for p-values of at most alpha. Of samples like the calibration rows, at "
        "most this share is called anomalous.",
    )
    fdr: Level | None = Field(
        None,
        description="Adds `anomalous` by the Benjamini-Hochberg procedure over the rows of the request: of those that "
        "are called anomalous, at most this share is expected to be like the calibration rows.",
    )
    attribution: bool = Field(
        False, description="Adds `attributions` to a JSON answer: the part of each number, or of each column."
    )
    heat: Annotated[float, Field(gt=0, allow_inf_nan=False)] = Field(
        100.0,
        description="The attribution that has the full colour in a PNG answer; up to a 25th of it there is none.",
    )

    @model_validator(mode="after")
    def _one_rule_decides(self) -> Self:
        if self.alpha is not None and self.fdr is not None:
            raise exclusive("fdr", "alpha")
        return self

    @property
    def lacks(self) -> Mapping[str, str]:
        """The verdicts, unless a level is given."""
        return {} if self.alpha or self.fdr else {"anomalous": "alpha or fdr"}

    @property
    def hides(self) -> frozenset[str]:
        """The attributions, unless they are requested."""
        return frozenset(() if self.attribution else ("attributions",))

    @property
    def json_only(self) -> str | None:
        """The option that adds the attributions to JSON: pictures show them anyway."""
        return "attribution" if self.attribution else None
