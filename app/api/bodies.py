"""Request bodies to arrays, by content type. The body is the data; the options are in the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from starlette.types import Receive

from app.api.negotiation import JSON, NPY
from app.api.service import Service
from app.engine.autoencoder import Autoencoder
from app.errors import BodyTooLarge, InvalidInput, MalformedBody
from app.formats.images import FORMATS, is_tiny, read_image
from app.formats.json_arrays import read_rows
from app.formats.npy import read_npy
from app.manifest import ImageInput

Array = npt.NDArray[np.float32]
Member = Literal["samples", "latents"]

ON_THE_LOOP = {JSON: 512 * 1024, NPY: 4 * 1024 * 1024}
"""Bytes up to which reading a format takes less than about a millisecond: more are read on a thread."""


async def read_body(receive: Receive, announced: bytes, limit: int) -> bytes:
    """
    The whole body, whose Content-Length may announce its size.

    Raises BodyTooLarge as soon as it is known to be, MalformedBody where the client hangs up.
    """
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {announced.decode()}")
    message = await receive()
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
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def taken(model: Autoencoder, member: Member | None) -> tuple[str, ...]:
    """The media types that a body with samples or with latents may have."""
    if member == "samples" and isinstance(model.manifest.input, ImageInput):
        return (JSON, NPY, *FORMATS)
    return (JSON, NPY)


async def read_array(content: bytes, media: str, member: Member, model: Autoencoder, service: Service) -> Array:
    """The checked rows of a body. Raises TooManyRows, and what the format and the model's checks raise."""
    if media in FORMATS:
        if is_tiny(content, media):
            return _image(content, media, model, service)
        return await service.off_the_loop(partial(_image, content, media, model, service))
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
    service.bound_rows(len(rows) if rows.ndim else 0)
    return model.check_samples(rows) if member == "samples" else model.check_latents(rows)


def _image(content: bytes, media: str, model: Autoencoder, service: Service) -> Array:
    expected = model.manifest.input
    assert isinstance(expected, ImageInput)
    return read_image(content, media, expected, service.settings.max_pixels)
