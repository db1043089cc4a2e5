"""Arrays to answers, in the format that the client accepts: chosen before anything is computed."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.api.negotiation import JSON, NPY, PNG, choose
from app.api.service import Service
from app.engine.autoencoder import Autoencoder
from app.formats.images import write_png
from app.formats.json_arrays import write_object
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
    """
    The answer to one request of one model.

    `accept` is the request's header, latin-1; `member` is what the array of the answer is called. Raises NotAcceptable.
    """

    def __init__(self, model: Autoencoder, service: Service, accept: bytes | None, member: str) -> None:
        self._model = model
        self._service = service
        self._member = member
        self._media = choose(None if accept is None else accept.decode("latin-1"), offered(model, member))

    async def array(
        self, array: Array, *, seed: int | None = None, columns: int | None = None, **members: Array
    ) -> Answer:
        """Samples or latents: as JSON with further members, or as the `.npy` file or the picture of them alone."""
        if self._media == JSON:
            write = self._json(array, seed, members)
        elif self._media == NPY:
            write = partial(write_npy, array)
        else:
            drawn = self._model.manifest.input
            assert isinstance(drawn, ImageInput)
            write = partial(write_png, array, drawn, columns)
        size = array.size + sum(member.size for member in members.values())
        content = write() if size <= ON_THE_LOOP[self._media] else await self._service.off_the_loop(write)
        headers = [(b"content-type", self._media.encode()), (b"content-length", b"%d" % len(content))]
        if seed is not None:
            headers.append((SEED_HEADER, b"%d" % seed))
        return Answer(content, headers)

    def bound_rows(self, rows: int) -> int:
        """The same number, of rows that an answer is asked to have. Raises TooManyRows."""
        return self._service.bound_rows(rows)

    def _json(self, array: Array, seed: int | None, members: dict[str, Array]) -> partial[bytes]:
        manifest = self._model.manifest
        body: dict[str, Any] = {"model": manifest.name, "version": manifest.version}
        if seed is not None:
            body["seed"] = seed
        body[self._member] = np.ascontiguousarray(array)
        for name, member in members.items():
            body[name] = np.ascontiguousarray(member)
        return partial(write_object, body)
