"""Arrays to answers, in the format that the client accepts: chosen before anything is computed."""

from __future__ import annotations

import secrets
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.api.negotiation import JSON, NPY, PNG
from app.api.service import Service
from app.api.tracing import Trace
from app.engine.autoencoder import Autoencoder
from app.formats.images import write_png
from app.formats.json_arrays import decimals, write_object
from app.formats.npy import write_npy
from app.manifest import ImageInput

Array = npt.NDArray[np.float32]

SEED_HEADER = b"x-seed"
ON_THE_LOOP = {JSON: 32 * 1024, NPY: 1024 * 1024, PNG: 8 * 1024}
"""Numbers up to which writing a format takes less than about a millisecond: more are written on a thread."""


def drawn_seed(seed: int | None) -> int:
    """The client's seed, or a fresh one: the answer names it, so that every draw can be had again."""
    return secrets.randbits(32) if seed is None else seed


class Answer(NamedTuple):
    """What is sent with status 200."""

    content: bytes
    headers: list[tuple[bytes, bytes]]


def offered(model: Autoencoder, member: str) -> tuple[str, ...]:
    """The media types that an answer with samples or with latents can have."""
    drawn = member == "samples" and isinstance(model.manifest.input, ImageInput)
    return (JSON, NPY, PNG) if drawn else (JSON, NPY)


class Reply:
    """The answer to one request of one model: its media type, and what the array of the answer is called."""

    def __init__(self, model: Autoencoder, service: Service, media: str, member: str, trace: Trace) -> None:
        self._model = model
        self._service = service
        self._media = media
        self._member = member
        self._trace = trace

    async def array(
        self, array: Array, *, seed: int | None = None, columns: int | None = None, **members: Array
    ) -> Answer:
        """Samples or latents: as JSON with further members, or as the `.npy` file or the picture of them alone."""
        began = perf_counter()
        size = array.size
        for member in members.values():
            size += member.size
        if size <= ON_THE_LOOP[self._media]:
            content = self._write(array, seed, columns, members)
        else:
            content = await self._service.off_the_loop(partial(self._write, array, seed, columns, members))
        headers = [(b"content-type", self._media.encode()), (b"content-length", b"%d" % len(content))]
        if seed is not None:
            headers.append((SEED_HEADER, b"%d" % seed))
        self._trace.encode = perf_counter() - began
        return Answer(content, headers)

    def bound_rows(self, rows: int) -> int:
        """The same number, of rows that an answer is asked to have. Raises TooManyRows."""
        return self._service.bound_rows(rows, self._model.manifest)

    def _write(self, array: Array, seed: int | None, columns: int | None, members: dict[str, Array]) -> bytes:
        if self._media == NPY:
            return write_npy(array)
        manifest = self._model.manifest
        if self._media == PNG:
            assert isinstance(manifest.input, ImageInput)
            return write_png(array, manifest.input, columns)
        body: dict[str, Any] = {"model": manifest.name, "version": manifest.version}
        if seed is not None:
            body["seed"] = seed
        body[self._member] = self._numbers(array)
        for name, member in members.items():
            body[name] = self._numbers(member)
        return write_object(body)

    def _numbers(self, array: Array) -> Any:
        """Nine decimals for pixels from 0 to 1; else as many digits as restore each number."""
        expected = self._model.manifest.input
        drawn = isinstance(expected, ImageInput) and array.shape[1:] == expected.shape
        return decimals(array) if drawn else np.ascontiguousarray(array)
