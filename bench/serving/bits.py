"""
The effect of the batch size on a row's result, to the bit: a Markdown table to stdout.

    .venv/bin/python -m bench.serving.bits --models-dir models

Each graph computes the same seeded rows in batches of many sizes. The table shows the largest difference to the result
of the largest batch: 0 if all bits are the same.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.engine.repository import load_repository
from app.logs import configure_logging

Array = npt.NDArray[np.float32]

LARGEST_BATCH = 64
BATCH_SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 24, 31, 32, 48)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="the model repository (models)")
    options = parser.parse_args()
    configure_logging("warning")
    random = np.random.default_rng(0)
    sys.stdout.write(
        f"| graph | largest difference, batches of {BATCH_SIZES[0]} to {LARGEST_BATCH} rows |\n|---|--:|\n"
    )
    for model in load_repository(options.models_dir):
        samples = random.random((LARGEST_BATCH, *model.manifest.input_shape), dtype=np.float32)
        latents = random.standard_normal((LARGEST_BATCH, model.manifest.latent_dim), dtype=np.float32)
        label = model.manifest.labels[0] if model.manifest.labels else None
        name = f"{model.manifest.name}/{model.manifest.version}"
        sys.stdout.write(f"| {name} encoder | {largest_difference(model.encode, samples):g} |\n")
        decode = functools.partial(model.decode, label=label)
        sys.stdout.write(f"| {name} decoder | {largest_difference(decode, latents):g} |\n")
    return 0


def largest_difference(function: Callable[[Array], Array], rows: Array) -> float:
    """Return the largest difference between the results of all rows at once and of the rows in smaller batches."""
    whole, largest = function(rows), 0.0
    for size in BATCH_SIZES:
        parts = np.concatenate([function(rows[at : at + size]) for at in range(0, len(rows), size)])
        largest = max(largest, float(np.abs(parts - whole).max()))
    return largest


if __name__ == "__main__":
    sys.exit(main())
