"""The card states the facts of the manifest and shows the figures that exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.manifest import Family, Manifest, Measurement, Training
from tests.helpers import tiny
from training.data.dataset import DataSet, Split
from training.exporting.card import write_card

TRAINING = Training(
    configuration={},
    data_fingerprint="0" * 64,
    libraries={"torch": "2.9"},
    seed=7,
    minutes=1.25,
    hardware="2 cores",
    finished="2026-01-01",
    warnings=("train: overfit",),
)


def test_the_card_states_measurements_training_and_warnings(tmp_path: Path) -> None:
    measurement = Measurement(
        data_set="tiny, test part", protocol="by hand", values={"mse": 0.123456789, "mse_standard_error": 0.04567}
    )
    manifest = Manifest.read(tiny.write_version(tmp_path)).model_copy(update={"metrics": (measurement,)})
    rows = Split(np.zeros((3, 1, 2, 2), np.float32), None, 1.0)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "loss.png").write_bytes(b"")
    card = write_card(manifest, TRAINING, DataSet("tiny", tiny.IMAGE, (), rows, rows, rows), tmp_path)
    assert card.startswith(f"# {manifest.name}, version 1\n")
    for fact in (
        "- train: overfit",
        "tiny, test part: by hand.",
        "| mse | 0.12 |",
        "digits that 3 test rows support: the MSE is 0.12 ± 0.05 (",
        "Seed 7, 1.2 minutes on 2 cores, finished 2026-01-01.",
        "3 rows to train on",
        "](figures/loss.png)",
    ):
        assert fact in card
    assert "figures/samples.png" not in card


@pytest.mark.parametrize(
    ("family", "denoiser", "fact"),
    [
        ("autoencoder", False, "- Denoising: none.\n"),
        ("denoising-autoencoder", False, "- Denoising: by the encoder and the decoder.\n"),
        ("denoising-autoencoder", True, "- Denoising: by `denoiser.onnx`, which predicts the noise"),
    ],
)
def test_the_card_names_the_graphs_that_denoise(tmp_path: Path, family: Family, denoiser: bool, fact: str) -> None:
    manifest = Manifest.read(tiny.write_version(tmp_path, family=family, denoiser=denoiser))
    rows = Split(np.zeros((3, 1, 2, 2), np.float32), None, 1.0)
    assert fact in write_card(manifest, TRAINING, DataSet("tiny", tiny.IMAGE, (), rows, rows, rows), tmp_path)
