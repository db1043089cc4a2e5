"""Arrays to answers, in the format that the client accepts: chosen before anything is computed."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from app.api.negotiation import JSON, PNG, choose
from app.api.service import ServedModel
from app.engine.autoencoder import Autoencoder
from app.formats.images import write_png
from app.formats.json_arrays import write_object
from app.manifest import ImageInput

Array = npt.NDArray[np.float32]

SEED_HEADER = "X-Seed"
LARGE = 64 * 1024
"""Numbers in an answer from which writing it goes to a thread."""


def drawn_seed(seed: int | None) -> int:
    """The client's seed, or a fresh one: the answer names it, so that every draw can be had again."""
    return secrets.randbits(32) if seed is None else seed


class Reply:
    """The answer to one request of one model."""

    def __init__(self, model: Autoencoder, media: str) -> None:
        self._model = model
        self._media = media

    async def samples(
        self, samples: Array, *, seed: int | None = None, columns: int | None = None, **members: Array
    ) -> Response:
        """Samples, as JSON with further members, or as a PNG of the samples alone."""
        if self._media == PNG:
            drawn = self._model.manifest.input
            assert isinstance(drawn, ImageInput)
            content = await run_in_threadpool(write_png, samples, drawn, columns)
            return Response(content, media_type=PNG, headers=_seed_header(seed))
        return await self._json(seed, {"samples": samples, **members})

    async def latents(self, latents: Array, *, seed: int | None = None) -> Response:
        """Latents, as JSON."""
        return await self._json(seed, {"latents": latents})

    async def _json(self, seed: int | None, arrays: dict[str, Array]) -> Response:
        members: dict[str, Any] = {
            "model": self._model.manifest.name,
            "version": self._model.manifest.version,
            **({} if seed is None else {"seed": seed}),
            **{name: np.ascontiguousarray(array) for name, array in arrays.items()},
        }
        if sum(array.size for array in arrays.values()) < LARGE:
            content = write_object(members)
        else:
            content = await run_in_threadpool(write_object, members)
        return Response(content, media_type=JSON, headers=_seed_header(seed))


def samples_reply(request: Request, model: ServedModel) -> Reply:
    """A reply that can be JSON, or PNG where the model's samples are images. Raises NotAcceptable."""
    offered = [JSON, PNG] if isinstance(model.manifest.input, ImageInput) else [JSON]
    return Reply(model, choose(request.headers.get("accept"), offered))


def latents_reply(request: Request, model: ServedModel) -> Reply:
    """A reply that can only be JSON. Raises NotAcceptable."""
    return Reply(model, choose(request.headers.get("accept"), [JSON]))


def _seed_header(seed: int | None) -> dict[str, str]:
    return {} if seed is None else {SEED_HEADER: str(seed)}


SamplesReply = Annotated[Reply, Depends(samples_reply)]
LatentsReply = Annotated[Reply, Depends(latents_reply)]
