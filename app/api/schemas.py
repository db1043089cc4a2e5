"""The shapes of JSON bodies and answers, for the OpenAPI document and for generated clients."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.manifest import Manifest

Row = list[float]
Image = list[list[list[float]]]
"""[channel][row][column]"""
Plane = list[list[float]]
"""[row][column], of an image with one channel"""


class Body(BaseModel):
    """What a client sends: one member."""

    model_config = ConfigDict(extra="forbid")


class SamplesIn(Body):
    """Samples, each nested as the model's input shape, without the channel axis where there is one channel, or flat."""

    samples: Annotated[list[Row | Plane | Image], Field(min_length=1)]


class LatentsIn(Body):
    """Latent vectors."""

    latents: Annotated[list[Row], Field(min_length=1)]


class Answer(BaseModel):
    """What every answer with arrays names."""

    model: str
    version: int


class Latents(Answer):
    """Latent vectors, one a sample."""

    latents: list[Row]
    seed: int | None = Field(None, description="Only of draws: what makes them again.")


class Samples(Answer):
    """Samples, each nested as the model's input shape."""

    samples: list[Row | Image]
    seed: int | None = Field(None, description="Only of draws: what makes them again.")


class Reconstructions(Samples):
    """Samples that went through the latent space, and how far each is from what was sent."""

    errors: list[float] = Field(description="Mean squared error of each sample, in squared units of the samples.")


class Denoised(Samples):
    """Samples without the noise."""

    noisy: list[Row | Image] | None = Field(None, description="Only where noise was asked for: what was denoised.")


class ModelList(BaseModel):
    """Manifests."""

    models: list[Manifest]


class Health(BaseModel):
    """The state of a probe."""

    status: str
