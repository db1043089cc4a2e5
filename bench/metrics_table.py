"""
Measure every bundled model through its ONNX files and print the table of docs/models.md.

    .venv/bin/python -m bench.metrics_table --data-dir DIR
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from app.engine.autoencoder import Autoencoder
from app.engine.process import available_cores
from app.engine.repository import load_version
from app.manifest import Measurement
from training.config import Config
from training.data.load import load_data
from training.evaluation.evaluate import evaluate
from training.evaluation.untrained import untrained
from training.preprocessing import fit_preprocessing

MODELS = ("mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d")
COLUMNS = {
    "mse": "MSE",
    "pca_mse": "PCA's MSE",
    "untrained_mse": "untrained MSE",
    "bce": "BCE",
    "ssim": "SSIM",
    "knn_accuracy": "5-NN",
    "pca_knn_accuracy": "PCA's 5-NN",
    "trustworthiness": "trustworthiness",
}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data_dir = os.environ.get("HOURGLASS_DATA_DIR")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(data_dir) if data_dir else None, help="folder of the data"
    )
    parser.add_argument("--models-dir", type=Path, default=Path("models"), help="the model repository (models)")
    options = parser.parse_args()
    rows, others = [], []
    for name in MODELS:
        model = load_version(options.models_dir / name / "1", name, 1, available_cores())
        training = model.manifest.training
        assert training is not None
        measurements = measure(model, Config.model_validate(training.configuration), options.data_dir)
        values = {key: value for measurement in measurements[:2] for key, value in measurement.values.items()}
        cells = [f"`{name}`", str(model.manifest.latent_dim), *(f"{values[key]:.4f}" for key in COLUMNS)]
        rows.append([*cells, f"{training.minutes:.0f}"])
        others += [(name, measurement) for measurement in measurements[2:]]
    head = ["model", "latents", *COLUMNS.values(), "minutes"]
    for cells in (head, ["---"] * len(head), *rows):
        sys.stdout.write("| " + " | ".join(cells) + " |\n")
    for name, measurement in others:
        numbers = ", ".join(f"{key} {value:.4g}" for key, value in measurement.values.items())
        quantity = measurement.protocol.partition(",")[0].partition(";")[0]
        sys.stdout.write(f"\n`{name}`, {quantity}: {numbers}\n")
    return 0


def measure(model: Autoencoder, config: Config, data_dir: Path | None) -> tuple[Measurement, ...]:
    """Repeat the measurements of the report at the end of a model's training."""
    data = load_data(config.data, data_dir, config.optimisation.seed)
    blank = untrained(config, data, fit_preprocessing(config, data))
    return evaluate(model, data, config.evaluation, blank, binarisation=config.binarisation)


if __name__ == "__main__":
    sys.exit(main())
