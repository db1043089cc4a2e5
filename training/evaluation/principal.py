"""
PCA of a model's training data, where it can be had.

It is fitted on the training part if that is there; otherwise read from the version, in which an export stores it; or
else fitted on halves of the rows under evaluation, each of which is measured by the PCA of the other.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.arrays import Samples
from training.evaluation.baselines import LinearAutoencoder
from training.evaluation.subject import Subject

PCA_FILE = "pca.npz"
"""The file of a version: `mean` (F,), `components` (D, F) and the number of `rows` that they were fitted on."""
MAX_STORED_NUMBERS = 2**21
"""Numbers in the components of a PCA that is stored, 4 MiB as float16: 64 components of 3 x 100 x 100 pixels."""

MAX_WHOLE_NUMBERS = 2**14
"""Numbers in the components that are stored whole, as float32: of tables, whose axes are close to each other."""


@dataclass(frozen=True)
class CrossFitted(LinearAutoencoder):
    """PCA of one half of some rows, and PCA of the other half; each reconstructs the rows that it was not fitted on."""

    other: LinearAutoencoder

    def reconstruct(self, samples: Samples, components: int | None = None) -> Samples:
        """Reconstruct each row by the PCA of the half that it is not in. Shapes: (N, *shape) -> (N, *shape)."""
        is_second = in_second_half(samples).reshape(-1, *[1] * (samples.ndim - 1))
        return np.where(
            is_second, super().reconstruct(samples, components), self.other.reconstruct(samples, components)
        )


def principal_components(subject: Subject) -> LinearAutoencoder:
    """Return PCA with a component for each latent, of the training rows if there are any, or cross-fitted."""
    dimension = subject.manifest.latent_dim
    if subject.has_training_rows:
        return LinearAutoencoder.fit(subject.x(subject.baseline_rows()), dimension)
    x = subject.x(subject.data.test.take(slice(subject.row_count(subject.limits.baseline))))
    is_second = in_second_half(x)
    if is_second.all() or not is_second.any():
        return LinearAutoencoder.fit(x, dimension, "of these rows themselves, which flatters it")
    first, second = (LinearAutoencoder.fit(x[half], dimension) for half in (~is_second, is_second))
    description = (
        f"of the other half of these rows ({int((~is_second).sum())} and {int(is_second.sum())}), since the training "
        "data are not at hand"
    )
    return CrossFitted(first.mean, first.components, description, second)


def in_second_half(samples: Samples) -> npt.NDArray[np.bool_]:
    """Return whether each row is in the second half. Its numbers decide, so that equal rows are in the same one."""
    flat = np.ascontiguousarray(samples, np.float32).reshape(len(samples), -1) + np.float32(0)
    return np.array([zlib.crc32(row.tobytes()) & 1 for row in flat], bool)


def save_principal_components(pca: LinearAutoencoder, rows: int, folder: Path) -> None:
    """Write PCA into a version's folder, unless it is large; in half precision if that saves much."""
    if pca.components.size <= MAX_STORED_NUMBERS:
        components = pca.components.astype(np.float16 if pca.components.size > MAX_WHOLE_NUMBERS else np.float32)
        np.savez_compressed(folder / PCA_FILE, allow_pickle=False, mean=pca.mean, components=components, rows=rows)


def stored_principal_components(folder: Path) -> LinearAutoencoder | None:
    """Return the PCA that a version has, or None."""
    if not (folder / PCA_FILE).is_file():
        return None
    with np.load(folder / PCA_FILE, allow_pickle=False) as archive:
        description = f"of {int(archive['rows'])} rows of the model's training data, stored with the version"
        return LinearAutoencoder(archive["mean"], archive["components"].astype(np.float32), description)
