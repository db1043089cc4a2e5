"""The average of the weights forgets the random start; checkpoints are found after a move."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers.configurations import bundled_config, with_objective
from training.data.dataset import DataSet
from training.fitting.callbacks import Checkpoint, moving_average
from training.fitting.trainer import fit


def test_the_moving_average_forgets_the_random_start() -> None:
    update = moving_average(0.999)
    averages = [torch.tensor([100.0]), torch.tensor([[1.0]])]
    for count in range(1, 200):
        update(averages, [torch.tensor([1.0]), torch.tensor([[1.0]])], count)
    assert [average.item() for average in averages] == pytest.approx([1.0, 1.0], abs=0.01)
    late = [torch.tensor([1.0])]
    update(late, [torch.tensor([2.0])], 10**6)
    assert late[0].item() == pytest.approx(1.001, abs=1e-5)


def test_a_checkpoint_loads_the_state_of_a_moved_folder(tmp_path: Path) -> None:
    saved = Checkpoint(tmp_path / "before", filename="best").state_dict()
    saved |= {"best_model_path": str(tmp_path / "before" / "best.ckpt"), "best_k_models": {"before/best.ckpt": 0.5}}
    moved = Checkpoint(tmp_path / "after", filename="best")
    moved.load_state_dict(saved)
    assert moved.best_model_path == str(tmp_path / "after" / "best.ckpt")
    assert moved.best_k_models == {str(tmp_path / "after" / "best.ckpt"): 0.5}


@pytest.mark.parametrize(("warmup", "epochs"), [(0, 3), (4, 7)])
def test_patience_begins_after_the_warmup(warmup: int, epochs: int, digits: DataSet, tmp_path: Path) -> None:
    """With a rate of almost nothing no epoch improves: the first that counts is followed by two of patience."""
    config = bundled_config("digits-vae", epochs=9, patience=2, learning_rate=1e-30, batch_size=512)
    run = fit(with_objective(config, warmup_epochs=warmup), digits, tmp_path / "run", accelerator="cpu")
    assert len(run.record.history["train"]) == epochs
