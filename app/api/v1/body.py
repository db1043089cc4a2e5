"""Request bodies of /v1 as arrays, by media type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from app.api.negotiation import FORM, JSON, NPY, expected_type, request_type
from app.api.request_body import read_decompressed
from app.api.state import State
from app.arrays import Array, Samples
from app.engine.checks import RowCheck
from app.engine.offload import LoopLimit
from app.engine.served import ServedModel
from app.errors import EmptyBatch, InvalidInput
from app.formats.images import FORMATS, decoding_size, read_image, read_images
from app.formats.json_body import read_rows
from app.formats.json_images import holds_images, read_json_images
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


class BodyTypes(NamedTuple):
    """The Content-Type of a body, and the media types that it may have."""

    named: bytes | None
    supported: tuple[str, ...]


async def read_array(
    content: bytes, encoding: bytes | None, types: BodyTypes, check: RowCheck, model: ServedModel, state: State
) -> Array:
    """
    Return the rows of a body that passed a check of the model.

    Raises UnsupportedMedia, TooManyRows, and what the encoding, the format and the check raise.
    """
    if encoding is None:
        size, limit, read = _reader(content, types, check, model, state)
        return read() if size <= limit else await state.offload.run_on_thread(read)

    def read_plain(content: bytes) -> Array:
        return _reader(content, types, check, model, state)[2]()

    read = partial(read_decompressed, content, encoding, state, read_plain)
    return await state.offload.run(len(content), LoopLimit.DECOMPRESS_BYTES, read)


def _reader(
    content: bytes, types: BodyTypes, check: RowCheck, model: ServedModel, state: State
) -> tuple[int, int, Callable[[], Array]]:
    """Return the size of the work of reading a body, its limit on the event loop, and the function that reads."""
    media_type, beginnings = expected_type(*types)
    if not content.startswith(beginnings):
        media_type = request_type(types.named, content, types.supported)
    if media_type in FORMATS:
        limit = LoopLimit.READ_IMAGE_SIZE
        return decoding_size(content, media_type), limit, partial(_read_image, content, media_type, model, state)
    if media_type == FORM:
        return len(content), NEVER_ON_LOOP, partial(_read_form, content, types.named or b"", model, state)
    if model.takes_images and check.name == "samples" and media_type == JSON and holds_images(content):
        return len(content), NEVER_ON_LOOP, partial(_read_json_images, content, model, state)
    return len(content), LOOP_LIMITS[media_type], partial(_read_rows, content, media_type, check, model)


async def check_no_body(content: bytes, encoding: bytes | None, state: State) -> None:
    """Raise InvalidInput if a task without an input gets a body, so that no options in it are ignored silently."""
    if encoding is None:
        return check_empty(content)
    check = partial(read_decompressed, content, encoding, state, check_empty)
    return await state.offload.run(len(content), LoopLimit.DECOMPRESS_BYTES, check)


def check_empty(content: bytes) -> None:
    """Raise InvalidInput for anything but no body, or one without options."""
    if content.strip() not in (b"", b"{}"):
        raise InvalidInput("expected no body; options go into the query, such as ?count=8&seed=1")


def _read_rows(content: bytes, media_type: str, check: RowCheck, model: ServedModel) -> Array:
    name = check.name
    if media_type == NPY and name == "samples":
        return check(read_npy(content, name, model.level_unit))
    table = model.manifest.input if model.has_features and name == "samples" and media_type == JSON else None
    rows = READERS[media_type](content, name, table) if table else READERS[media_type](content, name)
    return check(rows)


def _read_image(content: bytes, media_type: str, model: ServedModel, state: State) -> Samples:
    return _in_range(read_image(content, media_type, _image_input(model), state.settings.max_pixels), model)


def _read_form(content: bytes, content_type: bytes, model: ServedModel, state: State) -> Samples:
    return _read_files(read_files(content, content_type, state.settings.max_parts), model, state)


def _read_json_images(content: bytes, model: ServedModel, state: State) -> Samples:
    return _read_files(read_json_images(content, state.settings.max_rows), model, state)


def _read_files(files: list[bytes], model: ServedModel, state: State) -> Samples:
    if not files:
        raise EmptyBatch("expected at least one image, got none")
    model.check_row_count(len(files))
    return _in_range(read_images(files, _image_input(model), state.settings.max_pixels), model)


def _in_range(samples: Samples, model: ServedModel) -> Samples:
    """Return samples from image files. Raises OutOfRange if their levels may exceed the range, and do."""
    return samples if _image_input(model).levels is None else model.checks["samples"](samples)


def _image_input(model: ServedModel) -> ImageInput:
    assert isinstance(model.manifest.input, ImageInput)  # `request_types` has no images for other models
    return model.manifest.input
