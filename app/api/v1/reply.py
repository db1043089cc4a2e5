"""Results of tasks as answers of /v1, in the media type that the client accepts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from app.api.negotiation import JSON, NPY, PNG
from app.api.state import State
from app.arrays import ARRAYS, Array
from app.engine.offload import LoopLimit
from app.engine.served import ServedModel
from app.errors import InvalidParameter
from app.formats.compression import compress
from app.formats.feature_rows import FeatureRows
from app.formats.json_answer import decimals, write_object
from app.formats.npy import write_npy
from app.formats.pictures import grid_size, write_png
from app.inputs import ImageInput, VectorInput
from app.manifest import Manifest
from app.options import Options
from app.server.gate import Headers
from app.tasks import Result, Task

LOOP_LIMITS = {
    JSON: LoopLimit.WRITE_JSON_NUMBERS,
    NPY: LoopLimit.WRITE_BINARY_NUMBERS,
    PNG: LoopLimit.WRITE_PNG_NUMBERS,
}
BYTES_PER_NUMBER = 10
"""About the length of a number in JSON."""


def response_types(draws_images: bool, name: str) -> tuple[str, ...]:
    """Return the media types of an answer with samples or latents, for a model of images or of vectors."""
    return (JSON, NPY, PNG) if draws_images and name == "samples" else (JSON, NPY)


def check_objects(options: Options, model: ServedModel, media_type: str) -> None:
    """Raise InvalidParameter if samples are to be objects, but the answer is not JSON or the features have no names."""
    if options.gives_objects and not (model.has_features and media_type == JSON):
        reason = f"has no meaning for an answer of {media_type}"
        if not model.has_features:
            reason = f"the features of the model {model.manifest.name!r} have no names"
        raise InvalidParameter(f"query parameter 'rows': {reason}, got 'objects'")


async def render(
    result: Result,
    media_type: str,
    encoding: str | None,
    task: Task,
    options: Options,
    manifest: Manifest,
    state: State,
) -> tuple[Headers, bytes]:
    """
    Return the headers and the body of an answer.

    JSON holds the whole result; a `.npy` file or a picture holds only its array. Long JSON is compressed if there is an
    encoding.
    """
    size = result.array.size
    for extra in result.extras.values():
        size += extra.size
    if media_type == PNG:
        size *= _check_scale(result.array, options, state.settings.max_pixels) ** 2
    write = partial(_write, result, media_type, task, options, manifest)
    if encoding is None or media_type != JSON or not 0 < state.settings.compress_bytes <= size * BYTES_PER_NUMBER:
        encoding = None
        content = write() if size <= LOOP_LIMITS[media_type] else await state.offload.run_on_thread(write)
    else:
        content = await state.offload.run_on_thread(partial(_write_compressed, write, encoding))
    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(content))]
    if encoding is not None:
        headers += [(b"content-encoding", encoding.encode()), (b"vary", b"Accept-Encoding")]
    if result.seed is not None:
        headers.append((b"x-seed", b"%d" % result.seed))
    return headers, content


def _write_compressed(write: Callable[[], bytes], encoding: str) -> bytes:
    return compress(write(), encoding)


def _write(result: Result, media_type: str, task: Task, options: Options, manifest: Manifest) -> bytes:
    if media_type == NPY:
        return write_npy(result.array)
    if media_type == PNG:
        assert isinstance(manifest.input, ImageInput)  # `response_types` has no PNG for other models
        return write_png(result.array, manifest.input, options.png_columns, options.png_scale)
    body: dict[str, Any] = {"model": manifest.name, "version": manifest.version}
    if result.seed is not None:
        body["seed"] = result.seed
    objects = FeatureRows(manifest.input) if isinstance(manifest.input, VectorInput) and options.gives_objects else None
    for name, array in {task.gives: result.array, **result.extras}.items():
        is_sample = ARRAYS[name].row == "sample"
        body[name] = objects.write(array) if objects and is_sample else _numbers(array, manifest)
    return write_object(body)


def _check_scale(samples: Array, options: Options, max_pixels: int) -> int:
    """Return the scale of a picture. Raises InvalidParameter if it enlarges the picture to more pixels than allowed."""
    rows, columns = grid_size(len(samples), options.png_columns)
    height, width = (side * options.png_scale for side in (rows * samples.shape[2], columns * samples.shape[3]))
    if options.png_scale > 1 and height * width > max_pixels:
        problem = f"expected a picture of at most {max_pixels} pixels, got {height}x{width} (height x width)"
        raise InvalidParameter(
            f"query parameter 'scale': {problem}", parameters=[{"name": "scale", "in": "query", "problem": problem}]
        )
    return options.png_scale


def _numbers(array: Array, manifest: Manifest) -> Any:
    """Return an array for `write_object`: many pixels get nine decimals, other numbers the digits that restore them."""
    if isinstance(manifest.input, ImageInput) and array.shape[1:] == manifest.input.shape:
        return decimals(array)
    return np.ascontiguousarray(array)
