"""The card states the facts of the manifest and shows the figures that exist."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.manifest import Manifest, Measurement, Training
from tests.helpers import tiny
from training.data.dataset import DataSet, Split
from training.exporting.card import write_card


def test_the_card_states_measurements_training_and_warnings(tmp_path: Path) -> None:
    measurement = Measurement(
        data_set="tiny, test part", protocol="by hand", values={"mse": 0.123456789, "mse_standard_error": 0.04567}
    )
    manifest = Manifest.read(tiny.write_version(tmp_path)).model_copy(update={"metrics": (measurement,)})
    training = Training(
        configuration={},
        data_fingerprint="0" * 64,
        libraries={"torch": "2.9"},
        seed=7,
        minutes=1.25,
        hardware="2 cores",
        finished="2026-01-01",
        warnings=("train: overfit",),
    )
    rows = Split(np.zeros((3, 1, 2, 2), np.float32), None, 1.0)
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "loss.png").write_bytes(b"")
    card = write_card(manifest, training, DataSet("tiny", tiny.IMAGE, (), rows, rows, rows), tmp_path)
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
