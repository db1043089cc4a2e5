"""Request bodies of /v1 as arrays, by media type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from app.api.negotiation import FORM, JSON, NPY
from app.api.state import State
from app.arrays import Array, Samples
from app.engine.offload import LoopLimit
from app.engine.served import ServedModel
from app.errors import EmptyBatch, InvalidInput
from app.formats.images import FORMATS, decoding_size, read_image, read_images
from app.formats.json_body import holds_images, read_json_images, read_rows
from app.formats.multipart import read_files
from app.formats.npy import read_npy
from app.inputs import ImageInput

ARRAY_TYPES = (JSON, NPY)
IMAGE_TYPES = (JSON, NPY, *FORMATS, FORM)

READERS: Mapping[str, Callable[..., Array]] = {JSON: read_rows, NPY: read_npy}
LOOP_LIMITS = {JSON: LoopLimit.READ_JSON_BYTES, NPY: LoopLimit.READ_BINARY_BYTES}
NEVER_ON_LOOP = -1


def request_types(takes_images: bool, name: str | None) -> tuple[str, ...]:
    """Return the media types of a body with samples or latents, for a model that takes images or does not."""
    return IMAGE_TYPES if takes_images and name == "samples" else ARRAY_TYPES


async def read_array(
    content: bytes, media_type: str, content_type: bytes, name: str, model: ServedModel, state: State
) -> Array:
    """
    Return the checked rows of a body, whose media type is one of `request_types`.

    Raises TooManyRows, and what the format and the model's checks raise.
    """
    size, limit = len(content), NEVER_ON_LOOP
    if media_type in FORMATS:
        read = partial(_read_image, content, media_type, model, state)
        size, limit = decoding_size(content, media_type), LoopLimit.READ_IMAGE_SIZE
    elif media_type == FORM:
        read = partial(_read_form, content, content_type, model, state)
    elif model.takes_images and name == "samples" and media_type == JSON and holds_images(content):
        read = partial(_read_json_images, content, model, state)
    else:
        read = partial(_read_rows, content, media_type, name, model)
        limit = LOOP_LIMITS[media_type]
    return await state.offload.run(size, limit, read)


def check_no_body(content: bytes) -> None:
    """Raise InvalidInput if a task without an input gets a body, so that no options in it are ignored silently."""
    if content.strip() not in (b"", b"{}"):
        raise InvalidInput("expected no body; options go into the query, such as ?count=8&seed=1")


def _read_rows(content: bytes, media_type: str, name: str, model: ServedModel) -> Array:
    table = model.manifest.input if model.has_features and name == "samples" and media_type == JSON else None
    rows = READERS[media_type](content, name, table) if table else READERS[media_type](content, name)
    return model.checks[name](rows)


def _read_image(content: bytes, media_type: str, model: ServedModel, state: State) -> Samples:
    return read_image(content, media_type, _image_input(model), state.settings.max_pixels)


def _read_form(content: bytes, content_type: bytes, model: ServedModel, state: State) -> Samples:
    return _read_files(read_files(content, content_type, state.settings.max_parts), model, state)


def _read_json_images(content: bytes, model: ServedModel, state: State) -> Samples:
    return _read_files(read_json_images(content, state.settings.max_rows), model, state)


def _read_files(files: list[bytes], model: ServedModel, state: State) -> Samples:
    if not files:
        raise EmptyBatch("expected at least one image, got none")
    model.check_row_count(len(files))
    return read_images(files, _image_input(model), state.settings.max_pixels)


def _image_input(model: ServedModel) -> ImageInput:
    assert isinstance(model.manifest.input, ImageInput)  # `request_types` has no images for other models
    return model.manifest.input
