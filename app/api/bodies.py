"""Request bodies to arrays, by content type. The body is the data; the options are in the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from starlette.types import Message, Receive

from app.api.negotiation import FORM, JSON, NPY
from app.api.service import Service
from app.engine.autoencoder import Autoencoder
from app.errors import BodyTooLarge, EmptyBatch, InvalidInput, MalformedBody
from app.formats.compression import decompress
from app.formats.images import FORMATS, is_tiny, read_image, read_images
from app.formats.json_arrays import read_rows
from app.formats.json_images import holds_images, read_json_images
from app.formats.multipart import read_files
from app.formats.npy import read_npy
from app.manifest import ImageInput

Array = npt.NDArray[np.float32]
Member = Literal["samples", "latents"]

ON_THE_LOOP = {JSON: 512 * 1024, NPY: 4 * 1024 * 1024}
"""Bytes up to which reading a format takes less than about a millisecond: more are read on a thread."""
DECOMPRESSED_ON_THE_LOOP = 1024
"""Compressed bytes, likewise: they may become a thousand times as many."""


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], service: Service) -> bytes:
    """
    The whole body, decompressed where its Content-Encoding says so.

    Raises BodyTooLarge as soon as it is known to be, MalformedBody where the client hangs up, and what `decompress`
    raises.
    """
    limit = service.settings.max_body_bytes
    announced = headers.get(b"content-length", b"")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {announced.decode()}")
    message = await receive()
    content: bytes = message.get("body", b"")
    if message.get("more_body") or message["type"] == "http.disconnect" or len(content) > limit:
        content = await _receive_rest(message, receive, limit)
    encoding = headers.get(b"content-encoding")
    if encoding is None:
        return content
    most = service.settings.max_decompressed_bytes
    if len(content) <= DECOMPRESSED_ON_THE_LOOP:
        return decompress(content, encoding.decode("latin-1"), most)
    return await service.off_the_loop(partial(decompress, content, encoding.decode("latin-1"), most))


async def _receive_rest(message: Message, receive: Receive, limit: int) -> bytes:
    """The whole body, of which a message has the beginning."""
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    while message.get("more_body") and size <= limit:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    if message["type"] == "http.disconnect":
        raise MalformedBody("the connection ended before the body did")
    if size > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got more")
    return b"".join(chunks)


def taken(model: Autoencoder, member: Member | None) -> tuple[str, ...]:
    """The media types that a body with samples or with latents may have."""
    if member == "samples" and isinstance(model.manifest.input, ImageInput):
        return (JSON, NPY, *FORMATS, FORM)
    return (JSON, NPY)


async def read_array(
    content: bytes, media: str, content_type: bytes, member: Member, model: Autoencoder, service: Service
) -> Array:
    """
    The checked rows of a body of one of the media types that are taken; the Content-Type may say more of it.

    Raises TooManyRows, and what the format and the model's checks raise.
    """
    if media in FORMATS:
        read = partial(_image, content, media, model, service)
        return read() if is_tiny(content, media) else await service.off_the_loop(read)
    if media == FORM:
        return await service.off_the_loop(partial(_form, content, content_type, model, service))
    if member == "samples" and media == JSON and holds_images(content) and FORM in taken(model, member):
        return await service.off_the_loop(partial(_json_images, content, model, service))
    if len(content) <= ON_THE_LOOP[media]:
        return _rows(content, media, member, model, service)
    return await service.off_the_loop(partial(_rows, content, media, member, model, service))


def refuse_body(content: bytes) -> None:
    """Raise InvalidInput of a body where none is read, so that nobody's options are ignored in silence."""
    if content.strip() not in (b"", b"{}"):
        raise InvalidInput("expected no body; options go into the query, such as ?count=8&seed=1")


READERS: Mapping[str, Callable[[bytes, str], Array]] = {JSON: read_rows, NPY: read_npy}


def _rows(content: bytes, media: str, member: Member, model: Autoencoder, service: Service) -> Array:
    rows = READERS[media](content, member)
    service.bound_rows(len(rows) if rows.ndim else 0, model.manifest)
    return model.check_samples(rows) if member == "samples" else model.check_latents(rows)


def _image(content: bytes, media: str, model: Autoencoder, service: Service) -> Array:
    return read_image(content, media, _pictures(model), service.settings.max_pixels)


def _form(content: bytes, content_type: bytes, model: Autoencoder, service: Service) -> Array:
    return _images(read_files(content, content_type, service.settings.max_parts), model, service)


def _json_images(content: bytes, model: Autoencoder, service: Service) -> Array:
    return _images(read_json_images(content, service.settings.max_rows), model, service)


def _images(files: list[bytes], model: Autoencoder, service: Service) -> Array:
    if not files:
        raise EmptyBatch("expected at least one image, got none")
    service.bound_rows(len(files), model.manifest)
    return read_images(files, _pictures(model), service.settings.max_pixels)


def _pictures(model: Autoencoder) -> ImageInput:
    expected = model.manifest.input
    assert isinstance(expected, ImageInput)  # images are not among what other models take
    return expected
