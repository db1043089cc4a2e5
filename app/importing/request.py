"""The options of an import, and the samples that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.errors import UnfitGraph
from app.importing.layout import Layout, sample_shape
from app.importing.original import Original
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import ModelName


@dataclass(frozen=True)
class ImportRequest:
    """The options of `hourglass import`."""

    encoder: Path
    decoder: Path
    name: str
    shape: tuple[int, ...] | None = None
    layout: Layout | None = None
    value_range: tuple[float, float] | None = None
    encoder_gives: str | None = None
    logits: bool = False
    denoises: bool = False
    feature_names: tuple[str, ...] = ()
    description: str | None = None


def check_name(name: str) -> None:
    """Raise UnfitGraph unless the name is valid for a model."""
    try:
        TypeAdapter(ModelName).validate_python(name)
    except ValidationError as error:
        raise UnfitGraph(
            f"--name: expected 1 to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit, got {name!r}"
        ) from error


def read_input(request: ImportRequest, encoder: Original) -> ImageInput | VectorInput:
    """Return the manifest's description of a sample, from the options and the encoder's input. Raises UnfitGraph."""
    shape = request.shape or sample_shape(encoder.name, encoder.row_shape, request.layout)
    try:
        value_range = (
            ValueRange(low=request.value_range[0], high=request.value_range[1]) if request.value_range else None
        )
        if len(shape) == 1:
            return VectorInput(shape=shape, value_range=value_range, feature_names=request.feature_names)
        if len(shape) != 3:
            raise UnfitGraph(
                f"--shape: expected the features of a row, or channels, height and width, got {list(shape)}"
            )
        if value_range is None:
            raise UnfitGraph("the samples are images: pass the values of black and white, such as --range 0 1")
        if request.feature_names:
            raise UnfitGraph("--feature-names: the samples are images, whose pixels have no names")
        return ImageInput(shape=shape, value_range=value_range)
    except ValidationError as error:
        raise UnfitGraph(f"the samples: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error
