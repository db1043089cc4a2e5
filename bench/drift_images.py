"""
Drift of the bundled models on images: a Markdown table to stdout.

    .venv/bin/python -m bench.drift_images --data-dir DIR

Of each model, 200 windows of 1 000 test images are judged as the server judges them, at the default level of 0.01: as
they are, 10 % brighter, and with 50 images of another kind, which are digits turned by 90 degrees. A window is found by
the scores or by the latents. MNIST's test images are by other writers than its training images, of which the
calibration rows are some: a little of what is found in clean windows is there.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.arrays import Array, Samples
from app.engine.autoencoder import Autoencoder
from app.engine.drift.bins import Bins
from app.engine.drift.latents import LatentBins
from app.engine.drift.uniformity import DEFAULT_ALPHA, measure_drift
from app.engine.repository import load_version
from training.config import load_config
from training.data.load import load_data

MODELS = Path(__file__).parents[1] / "models"
NAMES = ("mnist-ae", "mnist-vae", "mnist-sdae", "mnist-vae-2d")
WINDOWS, ROWS, FOREIGN_ROWS, BRIGHTER = 200, 1000, 50, np.float32(1.1)
SEED = 0


class Scores:
    """The bins of images that a model scored."""

    def __init__(self, model: Autoencoder, samples: Samples) -> None:
        assert model.manifest.scorer
        assert model.scorer
        rows = model.manifest.scorer.calibration_rows
        self._bins, self._latent_bins = Bins.of(rows), LatentBins(model.scorer.watch_latents(), rows)
        parts = [samples[start : start + ROWS] for start in range(0, len(samples), ROWS)]
        self._p_values = self._bins.indices(np.concatenate([model.score(part).p_values for part in parts]))
        self._latents = self._latent_bins.indices(np.concatenate([model.posterior(part).mu for part in parts]))

    def found(self, chosen: npt.NDArray[np.intp], foreign: Scores | None = None) -> tuple[bool, bool]:
        """Return whether a window of the chosen images is drift by its scores, and by its latents."""
        p_values, latents = self._p_values[chosen], self._latents[chosen]
        if foreign is not None:
            p_values[:FOREIGN_ROWS] = foreign._p_values[chosen[:FOREIGN_ROWS]]
            latents[:FOREIGN_ROWS] = foreign._latents[chosen[:FOREIGN_ROWS]]
        drift = measure_drift(_counts(p_values, len(self._bins.edges)), self._bins)
        of_latents = self._latent_bins.measure(_counts(latents.ravel(), len(self._latent_bins)))
        assert drift is not None
        assert of_latents is not None
        return drift.p_value < DEFAULT_ALPHA, of_latents.p_value < DEFAULT_ALPHA


def _counts(bins: npt.NDArray[np.intp], length: int) -> list[float]:
    """Return the number of each bin, as a window has them."""
    return [float(count) for count in np.bincount(bins, minlength=length)]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder with the data set mnist")
    data = load_data(load_config("mnist-ae").data, parser.parse_args().data_dir, SEED)
    images = data.test.in_users_units()
    sys.stdout.write("| model | windows | found by scores | by latents |\n|---|---|--:|--:|\n")
    for name in NAMES:
        for windows, shares in measure(load_version(MODELS / name / "1", name, 1), images).items():
            sys.stdout.write(f"| {name} | {windows} | {' | '.join(f'{share:.1%}' for share in shares)} |\n")
            sys.stdout.flush()
    return 0


def measure(model: Autoencoder, images: Samples) -> dict[str, Array]:
    """Return the shares of windows that are found, by their kind."""
    clean, brighter = Scores(model, images), Scores(model, np.minimum(images * BRIGHTER, 1))
    turned = Scores(model, np.ascontiguousarray(np.rot90(images, axes=(2, 3))))
    random = np.random.default_rng(SEED)
    chosen = [random.choice(len(images), ROWS, replace=False) for _ in range(WINDOWS)]
    return {
        "clean": np.mean([clean.found(rows) for rows in chosen], axis=0),
        "10 % brighter": np.mean([brighter.found(rows) for rows in chosen], axis=0),
        "5 % turned": np.mean([clean.found(rows, turned) for rows in chosen], axis=0),
    }


if __name__ == "__main__":
    sys.exit(main())
