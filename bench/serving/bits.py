"""
Whether a row's result depends on how many rows are beside it, to the bit: a Markdown table to stdout.

    .venv/bin/python -m bench.serving.bits --models-dir models

Each graph calculates the same seeded rows in batches of many sizes. What is printed is the largest difference to the
result of the largest batch, which is 0 where all bits are the same.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.engine.repository import ModelRepository
from app.logs import configure_logging

Array = npt.NDArray[np.float32]

LARGEST = 64
SIZES = (1, 2, 3, 4, 5, 7, 8, 12, 13, 16, 24, 31, 32, 48)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, default=Path("models"))
    options = parser.parse_args()
    configure_logging("warning")
    random = np.random.default_rng(0)
    sys.stdout.write(f"| graph | largest difference, batches of {SIZES[0]} to {LARGEST} rows |\n|---|--:|\n")
    for model in ModelRepository.load(options.models_dir).all_versions():
        samples = random.random((LARGEST, *model.manifest.input_shape), dtype=np.float32)
        latents = random.standard_normal((LARGEST, model.manifest.latent_dim), dtype=np.float32)
        label = model.manifest.labels[0] if model.manifest.labels else None
        name = f"{model.manifest.name}/{model.manifest.version}"
        sys.stdout.write(f"| {name} encoder | {largest_difference(model.encode, samples):g} |\n")
        decode = functools.partial(model.decode, label=label)
        sys.stdout.write(f"| {name} decoder | {largest_difference(decode, latents):g} |\n")
    return 0


def largest_difference(function: Callable[[Array], Array], rows: Array) -> float:
    """Between the results of all rows at once and of the same rows in smaller batches."""
    together = function(rows)
    apart = [np.concatenate([function(rows[at : at + size]) for at in range(0, len(rows), size)]) for size in SIZES]
    return max(float(np.abs(result - together).max()) for result in apart)


if __name__ == "__main__":
    sys.exit(main())
