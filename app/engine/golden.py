"""Golden samples: a version's stored inputs and outputs, compared with the outputs on this machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from app.arrays import Array, Rows
from app.engine.autoencoder import Autoencoder
from app.errors import InvalidModel, ServiceError
from app.manifest import GOLDEN

TOLERANCE = 1e-3
"""
Absolute, and relative to the stored number. Processors add in different orders and differ by about 1e-5; a wrong graph
differs by far more.
"""

GOLDEN_SEED = 7


def golden_samples(shape: tuple[int, ...]) -> Array:
    """Return eight seeded inputs in [0, 1], which are not rows of any data set: both ends, ramps and noise."""
    random = np.random.default_rng(GOLDEN_SEED)
    size = int(np.prod(shape))
    ramp = np.linspace(0, 1, size)
    unit = np.stack(
        [
            np.zeros(size),
            np.ones(size),
            ramp,
            ramp[::-1],
            0.5 + 0.5 * np.sin(40 * ramp),
            *random.random((2, size)),
            (random.random(size) < 0.2).astype(float),
        ]
    )
    return unit.astype(np.float32).reshape(-1, *shape)


def read_golden(folder: Path) -> dict[str, Rows]:
    """
    Read the arrays `samples`, `latents` or `mu` and `logvar`, `reconstructions`, and `labels` of a conditional model.

    Raises InvalidModel.
    """
    try:
        with np.load(folder / GOLDEN, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise InvalidModel(f"{GOLDEN} cannot be read: {error}") from error


def check_golden(model: Autoencoder, folder: Path) -> None:
    """Run the golden samples, which also warms the model up. Raises InvalidModel if an output differs."""
    golden = read_golden(folder)
    names = model.manifest.encoder_outputs
    labels = {"labels"} if model.manifest.labels else set()
    missing = {"samples", *names, "reconstructions", *labels} - golden.keys()
    if missing:
        raise InvalidModel(f"{GOLDEN} lacks {', '.join(sorted(missing))}")
    try:
        posterior = model.posterior(golden["samples"])
        reconstructions = model.decode_rows(golden[names[0]], golden.get("labels"))
        outputs = {names[0]: posterior.mu, "reconstructions": reconstructions}
    except ServiceError as error:
        raise InvalidModel(f"{GOLDEN}: {error}") from error
    if posterior.logvar is not None:
        outputs["logvar"] = posterior.logvar
    for name, output in outputs.items():
        if output.shape != golden[name].shape or not np.allclose(output, golden[name], TOLERANCE, TOLERANCE):
            raise InvalidModel(f"{GOLDEN}: {name} differ from those that were stored when the version was written")
