"""The progress bar shows the epoch as the log counts it, and nothing of Lightning's loggers."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import lightning
import pytest
from lightning.pytorch.loggers import TensorBoardLogger

from tests.helpers.configurations import bundled_config
from training.data.dataset import DataSet
from training.fitting.batches import Batches
from training.fitting.pair_stages import plan_stages
from training.fitting.progress import EpochBar
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing


def test_the_bar_counts_epochs_from_one_and_has_no_version(
    digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = bundled_config("digits-ae", epochs=2)
    network, preprocessing = build_network(config, digits.input), fit_preprocessing(config, digits)
    batches = Batches(digits.validation, 64, None)
    (stage,) = plan_stages(network, preprocessing, config, len(batches), digits.input.value_range)
    screen = io.StringIO()
    bar = EpochBar(console_kwargs={"file": screen, "force_terminal": True, "width": 200})
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[bar],
        logger=TensorBoardLogger(tmp_path, name="tensorboard", version="0-train"),
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(stage, batches, batches)
    text = screen.getvalue()
    assert "epoch 1/2" in text
    assert "epoch 2/2" in text
    assert "v_num" not in text
    assert "Epoch 0" not in text
