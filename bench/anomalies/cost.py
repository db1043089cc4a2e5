"""
Compare the time of a score with that of a reconstruction, by the graphs of a version on one thread, and print a table.

    python -m bench.anomalies.cost FOLDER [FOLDER ...]

FOLDER is a version's folder. Runs of both alternate; the numbers are medians.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from app.engine.session import open_session
from app.manifest import DECODER, ENCODER, SCORER, Manifest
from bench.anomalies.__main__ import print_row

BATCHES, RUNS = (1, 16, 128), 60
MOST = 1.6
"""The most that a score may cost, in units of a reconstruction."""


def main() -> int:
    """Print a row for each version and batch size. Return 1 if a score costs more than MOST reconstructions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    print_row("model", "rows", "reconstruct, ms", "score, ms", "ratio")
    print_row("---", *["--:"] * 4)
    ratios = [ratio for folder in options.folders for ratio in measure(folder)]
    return int(max(ratios) > MOST)


def measure(folder: Path) -> list[float]:
    """Print a row for each batch size and return the ratios."""
    manifest = Manifest.read(folder)
    encoder, decoder, scorer = (open_session(folder / name, threads=1) for name in (ENCODER, DECODER, SCORER))
    ratios = []
    for rows in BATCHES:
        samples = np.random.default_rng(0).random((rows, *manifest.input_shape), np.float32)

        def reconstruct(samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = samples) -> None:
            decoder.run(None, {"latents": encoder.run(None, {"samples": samples})[0]})

        def score(samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = samples) -> None:
            scorer.run(None, {"samples": samples})

        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(RUNS):
            for own, function in zip(times, (reconstruct, score), strict=True):
                own.append(seconds(function))
        first, second = median(times[0]), median(times[1])
        ratios.append(second / first)
        print_row(manifest.name, f"{rows}", f"{1e3 * first:.3f}", f"{1e3 * second:.3f}", f"{ratios[-1]:.2f}")
    return ratios


def seconds(function: Callable[[], None]) -> float:
    """Return the time of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
