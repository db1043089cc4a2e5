"""The options of an import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.errors import UnfitGraph
from app.importing.layout import Layout
from app.manifest import ModelName


@dataclass(frozen=True)
class ImportRequest:
    """The options of `hourglass import`."""

    encoder: Path
    decoder: Path | None
    """None if the encoder's file is a whole autoencoder."""
    name: str
    cut: str | None = None
    """The tensor at which a whole autoencoder becomes an encoder and a decoder."""
    shape: tuple[int, ...] | None = None
    layout: Layout | None = None
    value_range: tuple[float, float] | None = None
    encoder_gives: str | None = None
    decoder_gives: str | None = None
    labels: tuple[str, ...] = ()
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
