"""Examples for the OpenAPI document, which work on the served models."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from app.arrays import Samples
from app.engine.catalog import Catalog
from app.engine.served import ServedModel
from app.formats.pictures import write_png
from app.inputs import ImageInput
from app.tasks import Task

MAX_EXAMPLE_NUMBERS = 128 * 128
"""Numbers of a sample or of its latents: the page shows larger bodies too slowly, and nobody reads them."""
PREFERRED_MODELS = {"decode": "2d", "generate": "vae"}
"""A part of the name of the model that a task's examples prefer: two latents, for one, are easy to edit."""


def example_model(catalog: Catalog, task: str) -> ServedModel | None:
    """Return the model for a task's examples: of the preferred ones, the smallest; None if no model supports it."""
    able = catalog.able_to(task)
    preferred = [model for model in able if PREFERRED_MODELS.get(task, "") in model.manifest.name]
    return min(preferred or able, key=lambda model: model.manifest.input_size, default=None)


def parameter_examples(model: ServedModel) -> dict[str, Any]:
    """Return values of parameters that the model accepts, by name; with a label if it is conditional."""
    manifest = model.manifest
    label = {"label": manifest.labels[0]} if manifest.labels else {}
    entry = f"{manifest.name}.encode"
    return {"model": manifest.name, "version": manifest.version, "name": entry, **label}


def body_examples(model: ServedModel | None, task: Task) -> dict[str, Any]:
    """
    Return JSON bodies that the model accepts: samples decoded from its latent space, rounded, and as pictures.

    There are none if no model supports the task, or if a row is too long for a page.
    """
    if model is None or max(model.manifest.input_size, model.manifest.latent_dim) > MAX_EXAMPLE_NUMBERS:
        return {}
    latents = np.zeros((task.rows or 1, model.manifest.latent_dim), np.float32)
    if task.takes == "latents":
        return {"latents": {"summary": "Latent vectors", "value": {"latents": latents.tolist()}}}
    latents[1:] = 1.0
    samples = model.autoencoder.decode(latents, *model.manifest.labels[:1])
    examples = {"samples": {"summary": "Samples as flat rows", "value": {"samples": _rounded(model, samples)}}}
    if isinstance(model.manifest.input, ImageInput):
        pictures = [_data_url(sample[None], model.manifest.input) for sample in samples]
        examples["images"] = {"summary": "Samples as images", "value": {"images": pictures}}
    return examples


def infer_examples(model: ServedModel, task: Task) -> dict[str, Any]:
    """Return a request of /v2 for the model's `encode`; none if a row is too long for a page."""
    bodies = body_examples(model, task)
    if not bodies:
        return {}
    rows = bodies["samples"]["value"]["samples"]
    tensor = {
        "name": "samples",
        "shape": [len(rows), *model.manifest.input.shape],
        "datatype": "FP32",
        "data": [number for row in rows for number in row],
    }
    return {"encode": {"summary": "Samples of a model's encode", "value": {"inputs": [tensor]}}}


def _rounded(model: ServedModel, samples: Samples) -> list[list[float]]:
    rounded = np.round(samples.reshape(len(samples), -1).astype(np.float64), 2)
    if value_range := model.manifest.input.value_range:
        rounded = np.clip(rounded, value_range.low, value_range.high)
    rows: list[list[float]] = rounded.tolist()
    return rows


def _data_url(sample: Samples, image: ImageInput) -> str:
    return "data:image/png;base64," + base64.b64encode(write_png(sample, image)).decode()
