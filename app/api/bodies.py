"""Request bodies to arrays, by content type. The body is the data; the options are in the query."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import numpy.typing as npt
from anyio import to_thread
from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from app.api.negotiation import JSON, require
from app.api.service import CurrentService, ServedModel, Service
from app.engine.autoencoder import Autoencoder
from app.errors import BodyTooLarge, InvalidInput, MalformedBody
from app.formats.images import FORMATS, read_image
from app.formats.json_arrays import read_rows
from app.manifest import ImageInput

Array = npt.NDArray[np.float32]

OFF_THE_LOOP = 32 * 1024
"""Bytes from which reading JSON goes to a thread: below, the hand-over costs more than it frees."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is known to be, MalformedBody where the client hangs up."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(f"expected a body of at most {limit} bytes, got {announced}")
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > limit:
                raise BodyTooLarge(f"expected a body of at most {limit} bytes, got more")
    except ClientDisconnect as error:
        raise MalformedBody("the connection ended before the body did") from error
    return bytes(content)


async def samples_body(request: Request, service: CurrentService, model: ServedModel) -> Array:
    """Samples from JSON, or one from an image where the model takes images."""
    taken = [JSON, *(FORMATS if isinstance(model.manifest.input, ImageInput) else ())]
    media = require(request.headers.get("content-type"), taken)
    content = await read_body(request, service.settings.max_body_bytes)
    if media != JSON:  # three kilobytes can hold millions of pixels: never on the loop, and few at once
        return await to_thread.run_sync(_image, content, media, model, service, limiter=service.image_limiter)
    if len(content) < OFF_THE_LOOP:
        return _samples(content, model, service)
    return await to_thread.run_sync(_samples, content, model, service)


async def latents_body(request: Request, service: CurrentService, model: ServedModel) -> Array:
    """Latents from JSON."""
    require(request.headers.get("content-type"), [JSON])
    content = await read_body(request, service.settings.max_body_bytes)
    if len(content) < OFF_THE_LOOP:
        return _latents(content, model, service)
    return await to_thread.run_sync(_latents, content, model, service)


async def no_body(request: Request, service: CurrentService) -> None:
    """Refuse a body where none is read, so that nobody's options are ignored in silence."""
    content = await read_body(request, service.settings.max_body_bytes)
    if content.strip() not in (b"", b"{}"):
        raise InvalidInput("expected no body; options go into the query, such as ?count=8&seed=1")


def _samples(content: bytes, model: Autoencoder, service: Service) -> Array:
    samples = read_rows(content, "samples")
    service.bound_rows(len(samples))
    return model.check_samples(samples)


def _image(content: bytes, media: str, model: Autoencoder, service: Service) -> Array:
    expected = model.manifest.input
    assert isinstance(expected, ImageInput)
    return read_image(content, media, expected, service.settings.max_pixels)


def _latents(content: bytes, model: Autoencoder, service: Service) -> Array:
    latents = read_rows(content, "latents")
    service.bound_rows(len(latents))
    return model.check_latents(latents)


SamplesBody = Annotated[Array, Depends(samples_body)]
LatentsBody = Annotated[Array, Depends(latents_body)]
NoBody = Depends(no_body)
