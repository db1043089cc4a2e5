"""The shapes of JSON bodies and answers, for the OpenAPI document and for generated clients."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from app.manifest import Manifest

Row = list[float]
Image = list[list[list[float]]]
"""[channel][row][column]"""
Plane = list[list[float]]
"""[row][column], of an image with one channel"""
EncodedImage = Annotated[str, Field(description="A PNG, JPEG or WebP image: base64, or a data URL of it.")]
Item = TypeVar("Item")
Some = Annotated[list[Item], Field(min_length=1)]
FILE = WithJsonSchema({"type": "string", "format": "binary"})


class Body(BaseModel):
    """What a client sends: one member."""

    model_config = ConfigDict(extra="forbid")


class SamplesIn(Body):
    """Samples, all nested as the model's input shape, without the channel axis where there is one channel, or flat."""

    samples: Some[Row] | Some[Plane] | Some[Image]


class LatentsIn(Body):
    """Latent vectors."""

    latents: Some[Row]


class ImagesIn(Body):
    """Samples, each an image of any size and colour, for models of images."""

    images: Some[EncodedImage]


class ImageFiles(BaseModel):
    """The files of a form: samples, each a PNG, a JPEG or a WebP image. The field may have any other name."""

    images: Some[Annotated[bytes, FILE]]


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

    samples: list[Row] | list[Image]
    seed: int | None = Field(None, description="Only of draws: what makes them again.")


class Reconstructions(Samples):
    """Samples that went through the latent space, and how far each is from what was sent."""

    errors: list[float] = Field(description="Mean squared error of each sample, in squared units of the samples.")


class Denoised(Samples):
    """Samples without the noise."""

    noisy: list[Row] | list[Image] | None = Field(
        None, description="Only where noise was asked for: what was denoised."
    )


class ModelList(BaseModel):
    """Manifests."""

    models: list[Manifest]


class Health(BaseModel):
    """The state of a probe."""

    status: str
