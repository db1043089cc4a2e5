"""Examples for the OpenAPI document that work on the models that are served."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Autoencoder
from app.engine.repository import ModelRepository
from app.formats.images import write_png
from app.manifest import ImageInput, Task

Array = npt.NDArray[np.float32]

LARGEST_EXAMPLE = 128 * 128
"""Numbers of a sample or of its latents; the page shows larger bodies too slowly, and nobody reads them."""
DEFAULT_MODELS: dict[Task, str] = {"decode": "2d", "generate": "vae"}
"""
Where several models can do a task, the example prefers one whose name holds this: two latents are easy to edit. Of
those, and of all where none does, it takes the first with the smallest samples.
"""


def example_model(repository: ModelRepository, task: Task) -> Autoencoder | None:
    """The model that a task's examples are of, None where no model can do it."""
    able = repository.able_to(task)
    preferred = [model for model in able if DEFAULT_MODELS.get(task, "") in model.manifest.name]
    return min(preferred or able, key=lambda model: model.manifest.input_size, default=None)


def parameter_examples(model: Autoencoder) -> dict[str, Any]:
    """Values of parameters that the model takes, by their names; a label where it is conditional."""
    manifest = model.manifest
    label = {"label": manifest.labels[0]} if manifest.labels else {}
    of_a_task = f"{manifest.name}.encode"
    return {"model": manifest.name, "version": manifest.version, "name": of_a_task, **label}


def body_examples(model: Autoencoder | None, task: Task, images: bool) -> dict[str, Any]:
    """
    JSON bodies that the model takes: what it decodes from its latent space, in few digits, and the same as pictures.

    None at all where no model is able, or where a row is too long for a page.
    """
    if model is None or max(model.manifest.input_size, model.manifest.latent_dim) > LARGEST_EXAMPLE:
        return {}
    latents = np.zeros((2 if task == "interpolate" else 1, model.manifest.latent_dim), np.float32)
    if task == "decode":
        return {"latents": {"summary": "Latent vectors", "value": {"latents": latents.tolist()}}}
    latents[1:] = 1.0
    samples = model.decode(latents, *model.manifest.labels[:1])
    found = {"samples": {"summary": "Samples as flat rows", "value": {"samples": _rounded(model, samples)}}}
    if images and isinstance(model.manifest.input, ImageInput):
        pictures = [_data_url(sample[None], model.manifest.input) for sample in samples]
        found["images"] = {"summary": "Samples as images", "value": {"images": pictures}}
    return found


def inference_examples(model: Autoencoder) -> dict[str, Any]:
    """A request of /v2 that the model's `encode` takes, None where a row is too long for a page."""
    found = body_examples(model, "encode", images=False)
    if not found:
        return {}
    rows = found["samples"]["value"]["samples"]
    tensor = {
        "name": "samples",
        "shape": [len(rows), *model.manifest.input.shape],
        "datatype": "FP32",
        "data": [number for row in rows for number in row],
    }
    return {"encode": {"summary": "Samples of a model's encode", "value": {"inputs": [tensor]}}}


def _rounded(model: Autoencoder, samples: Array) -> list[list[float]]:
    rounded = np.round(samples.reshape(len(samples), -1).astype(np.float64), 2)
    if value_range := model.manifest.input.value_range:
        rounded = np.clip(rounded, value_range.low, value_range.high)
    rows: list[list[float]] = rounded.tolist()
    return rows


def _data_url(sample: Array, drawn: ImageInput) -> str:
    return "data:image/png;base64," + base64.b64encode(write_png(sample, drawn)).decode()
