"""The arrays that tasks take and give: their types, their names on the wire, and the shape of one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from app.manifest import Manifest

Array: TypeAlias = npt.NDArray[np.float32]
"""Any float32 array; its first axis counts rows."""
Samples: TypeAlias = Array
"""(B, *manifest.input_shape), in the units and the value range of the manifest."""
Latents: TypeAlias = Array
"""(B, manifest.latent_dim)"""
Labels: TypeAlias = npt.NDArray[np.int64]
"""(B,), indices into `manifest.labels`."""
Rows: TypeAlias = npt.NDArray[Any]
"""An array of any dtype whose first axis counts rows."""

Row = Literal["sample", "latent vector", "number", "truth value"]


@dataclass(frozen=True)
class ArrayKind:
    """An array with a name on the wire."""

    row: Row
    """One row of the array."""
    description: str = ""
    tensor: str = ""
    """The name in /v2 if it differs: that of the graph's output."""

    @property
    def datatype(self) -> Literal["FP32", "BOOL"]:
        """The datatype in /v2."""
        return "BOOL" if self.row == "truth value" else "FP32"

    def row_shape(self, manifest: Manifest) -> tuple[int, ...]:
        """Return the shape of one row for a model."""
        match self.row:
            case "sample":
                return manifest.input_shape
            case "latent vector":
                return (manifest.latent_dim,)
        return ()


ARRAYS: dict[str, ArrayKind] = {
    "samples": ArrayKind("sample", "Samples, each nested as the model's input shape."),
    "latents": ArrayKind("latent vector", "Latent vectors, one for each sample."),
    "errors": ArrayKind("number", "Mean squared error of each sample, in squared units of the samples."),
    "noisy": ArrayKind("sample", "The corrupted samples, if noise was requested."),
    "scores": ArrayKind("number", "The score of each sample: larger for stranger samples.", tensor="score"),
    "p_values": ArrayKind(
        "number",
        "Of the calibration rows and the sample itself, the share that is at least as strange as the sample.",
        tensor="p_value",
    ),
    "anomalous": ArrayKind("truth value", "True for each anomaly, if alpha or fdr was given."),
    "attributions": ArrayKind(
        "sample",
        "The part of each number in the strangeness of its sample, nested as the samples are; for a table by column.",
        tensor="attribution",
    ),
}
"""Every array that a task may take or give, by its name on the wire."""


def tensor_name(name: str) -> str:
    """Return the name of an array in /v2."""
    return ARRAYS[name].tensor or name
