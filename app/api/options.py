"""The options of each route: its query, typed. An unknown option is an error, not a silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self, TypeVar
from urllib.parse import parse_qsl

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from app.engine.corruption import Noise

Seed = Annotated[
    int | None,
    Field(
        ge=0,
        le=2**53 - 1,
        description="The same seed gives the same draws; without one, the answer names the seed that was used.",
    ),
]


class Options(BaseModel):
    """The query of a route."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Given = TypeVar("Given", bound=Options)


def read_options(kind: type[Given], query: bytes) -> Given:
    """The options that a query names. Raises RequestValidationError, as FastAPI does of the other routes."""
    return check_options(kind, dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)), "query")


def check_options(kind: type[Given], members: Mapping[str, object], place: str) -> Given:
    """The options that stand somewhere in a request: an error names the place. Raises RequestValidationError."""
    try:
        return kind.model_validate(members)
    except ValidationError as error:
        problems = [{**problem, "loc": (place, *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from error


def meaningless(option: str, without: str) -> PydanticCustomError:
    """The error of an option that has no meaning without another; `app.api.problems` names it."""
    return PydanticCustomError(
        "meaningless", "has no meaning without {without}", {"option": option, "without": without}
    )


class EncodeOptions(Options):
    """The query of `encode`."""

    sample: bool = Field(False, description="Draw from the posterior in place of its mean (variational models).")
    seed: Seed = None

    @model_validator(mode="after")
    def _seed_belongs_to_sample(self) -> Self:
        if self.seed is not None and not self.sample:
            raise meaningless("seed", "sample=true: the mean is not random")
        return self


class DecodeOptions(Options):
    """The query of `decode` and `reconstruct`, and part of every route's that decodes."""

    columns: Annotated[int | None, Field(ge=1)] = Field(
        None, description="Samples beside each other in a PNG answer; by default the square root of their number."
    )

    label: str | None = Field(
        None,
        description="What to decode as: one of the manifest's `labels`, which a conditional model must be told. "
        "Other models have no labels and refuse it.",
    )


class DenoiseOptions(DecodeOptions):
    """The query of `denoise`."""

    noise: Noise | None = Field(None, description="Corrupt the samples first, for a demonstration.")
    amount: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = Field(
        None,
        description="How much noise, 0.5 by default: the standard deviation in units of the value range (gaussian), "
        "or the share of numbers that are replaced.",
    )
    seed: Seed = None

    @model_validator(mode="after")
    def _amount_and_seed_belong_to_noise(self) -> Self:
        if self.noise is None and (self.amount is not None or self.seed is not None):
            option = "seed" if self.amount is None else "amount"
            raise meaningless(option, "noise: denoising itself is not random")
        return self


class GenerateOptions(DecodeOptions):
    """The query of `generate`."""

    count: Annotated[int, Field(ge=1)] = Field(
        16, description="How many samples; more of them leave the first ones as they were."
    )
    seed: Seed = None
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = Field(
        1.0, description="Factor on the prior's standard deviation: below 1, more typical samples."
    )


class InterpolateOptions(DecodeOptions):
    """The query of `interpolate`."""

    columns: Annotated[int | None, Field(ge=1)] = Field(
        None, description="Samples beside each other in a PNG answer; by default all of them."
    )

    steps: Annotated[int, Field(ge=2)] = Field(8, description="How many samples along the way, both ends included.")
