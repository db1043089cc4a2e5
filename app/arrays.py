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

Row = Literal["sample", "latent vector", "number"]


@dataclass(frozen=True)
class ArrayKind:
    """An array with a name on the wire."""

    row: Row
    """One row of the array."""
    description: str = ""

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
}
"""Every array that a task may take or give, by its name on the wire."""
