"""Results of tasks as answers of /v1, in the media type that the client accepts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from app.api.negotiation import JSON, NPY, PNG
from app.api.state import State
from app.arrays import ARRAYS, Array, Rows
from app.engine.offload import LoopLimit
from app.engine.served import ServedModel
from app.errors import InvalidParameter
from app.formats.compression import compress
from app.formats.feature_rows import FeatureRows
from app.formats.heat_maps import write_heat_maps
from app.formats.json_answer import decimals, write_object
from app.formats.npy import write_npy
from app.formats.pictures import grid_size, write_png
from app.inputs import ImageInput, VectorInput
from app.manifest import Manifest
from app.options import Options, ScoreOptions
from app.server.gate import Headers
from app.tasks import Result, Task

LOOP_LIMITS = {
    JSON: LoopLimit.WRITE_JSON_NUMBERS,
    NPY: LoopLimit.WRITE_BINARY_NUMBERS,
    PNG: LoopLimit.WRITE_PNG_NUMBERS,
}
BYTES_PER_NUMBER = 10
"""About the length of a number in JSON."""


def response_types(draws_images: bool, task: Task) -> tuple[str, ...]:
    """Return the media types of a task's answers, for a model of images or of vectors."""
    return (JSON, NPY, PNG) if draws_images and (task.gives == "samples" or task.heat_map) else (JSON, NPY)


def check_json_only(options: Options, media_type: str) -> None:
    """Raise InvalidParameter if an option is set that has no meaning for the answer's media type."""
    if media_type != JSON:
        problem = f"has no meaning for an answer of {media_type}"
        raise InvalidParameter(f"query parameter {options.json_only!r}: {problem}")


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
        size *= _check_scale(_pictured(result), options, state.settings.max_pixels) ** 2
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
        return write_npy(_columns(result, task) if task.columns else result.array)
    if media_type == PNG:
        return _write_picture(result, options, manifest)
    body: dict[str, Any] = {"model": manifest.name, "version": manifest.version}
    if result.seed is not None:
        body["seed"] = result.seed
    for name, array in {task.gives: result.array, **result.extras}.items():
        if name not in options.hides:
            body[name] = _member(name, array, options, manifest)
    return write_object(body)


def _member(name: str, array: Rows, options: Options, manifest: Manifest) -> Any:
    """Return an array for `write_object`: rows of a table may be objects, and their attributions are if they can be."""
    table = manifest.input
    if isinstance(table, VectorInput) and ARRAYS[name].row == "sample":
        if name == "attributions" and table.feature_names:
            return FeatureRows(table).write_sums(array)
        if options.gives_objects:
            return FeatureRows(table).write(array)
    return _numbers(array, manifest)


def _columns(result: Result, task: Task) -> Array:
    """Return the arrays of one number per row as the columns of one."""
    arrays = {task.gives: result.array, **result.extras}
    return np.stack([arrays[name] for name in task.columns if name in arrays], axis=1).astype(np.float32)


def _write_picture(result: Result, options: Options, manifest: Manifest) -> bytes:
    """Return the samples of a result as a picture, or the heat maps over the samples that it scores."""
    assert isinstance(manifest.input, ImageInput)  # `response_types` has no PNG for other models
    layout = options.png_columns, options.png_scale
    if result.samples is None:
        return write_png(result.array, manifest.input, *layout)
    assert isinstance(options, ScoreOptions)
    return write_heat_maps(result.samples, result.extras["attributions"], manifest.input, options.heat, *layout)


def _pictured(result: Result) -> Array:
    return result.array if result.samples is None else result.samples


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


def _numbers(array: Rows, manifest: Manifest) -> Any:
    """Return an array for `write_object`: many pixels get nine decimals, other numbers the digits that restore them."""
    if isinstance(manifest.input, ImageInput) and array.shape[1:] == manifest.input.shape:
        return decimals(array)
    return np.ascontiguousarray(array)
