"""A run depends on its seed only, can be stopped and resumed, and stops when the loss is not finite."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.histories import history_without_seconds
from training.config import Config
from training.data.dataset import DataSet
from training.errors import RunError
from training.fitting.runs import Run
from training.fitting.stages import Stage
from training.fitting.trainer import fit

Item = tuple[torch.Tensor, torch.Tensor]
SHORT = {"pretraining_epochs": 2, "denoiser_widths": (4, 4), "denoiser_steps": 160}


def short(family: str, **more: object) -> Config:
    """Return a configuration of three epochs with everything that has a state: clipping, schedule, moving average."""
    options = {"epochs": 3, "ema_decay": 0.9, "gradient_clip": 5.0, "batch_size": 200, **more}
    config = bundled_config(f"digits-{family}", **options)
    return with_objective(config, **SHORT) if family == "sdae" else config


def weights(run: Run) -> list[torch.Tensor]:
    """Return all weights."""
    return [weight.detach() for weight in run.network.parameters()]


def are_equal(first: Run, second: Run) -> bool:
    """Return whether the weights are equal bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


@pytest.mark.parametrize(
    ("family", "stage", "epoch"),
    [("ae", 0, 1), ("vae", 0, 2), ("sdae", 0, 1), ("sdae", 1, 0), ("sdae", 3, 2), ("sdae", 4, 1)],
)
def test_a_resumed_run_equals_an_uninterrupted_one(
    family: str, stage: int, epoch: int, digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(short(family), digits, tmp_path / "whole", accelerator="cpu")
    step = Stage.training_step

    def power_cut(self: Stage, batch: Item, batch_index: int) -> torch.Tensor:
        if (self.plan.index, self.current_epoch, batch_index) == (stage, epoch, 3):
            raise ConnectionError("power cut")
        return step(self, batch, batch_index)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "training_step", power_cut)
        with pytest.raises(ConnectionError, match="power cut"):
            fit(short(family), digits, tmp_path / "cut", accelerator="cpu")
    torch.manual_seed(99)  # the state of the global generator must not matter
    resumed = fit(short(family), digits, tmp_path / "cut", resume=True, accelerator="cpu")
    assert are_equal(resumed, whole)
    assert history_without_seconds(resumed.record) == history_without_seconds(whole.record)


def test_a_moved_run_keeps_its_best_checkpoint(
    digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is cut long after its best epoch. If it forgot that epoch, it would return a later, worse one."""
    unsteady = {"learning_rate": 0.03, "schedule": "constant", "ema_decay": 0.0, "gradient_clip": None}
    config = short("ae", epochs=60, patience=4, **unsteady)
    whole = fit(config, digits, tmp_path / "whole", accelerator="cpu")
    losses = [record["validation/loss"] for record in whole.record.history["train"]]
    cut = losses.index(min(losses)) + 2
    assert cut < len(losses)
    step = Stage.training_step

    def power_cut(self: Stage, batch: Item, batch_index: int) -> torch.Tensor:
        if self.current_epoch == cut:
            raise ConnectionError("power cut")
        return step(self, batch, batch_index)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "training_step", power_cut)
        with pytest.raises(ConnectionError):
            fit(config, digits, tmp_path / "cut", accelerator="cpu")
    moved = (tmp_path / "cut").rename(tmp_path / "moved")
    assert are_equal(fit(config, digits, moved, resume=True, accelerator="cpu"), whole)


def test_a_stage_that_ended_at_the_deadline_is_not_trained_further(digits: DataSet, tmp_path: Path) -> None:
    config = short("ae", epochs=1)
    first = fit(config, digits, tmp_path / "run", max_minutes=1e-9, accelerator="cpu")
    again = fit(config, digits, tmp_path / "run", resume=True, accelerator="cpu")
    assert again.record == first.record


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_validated_weights_are_returned(decay: float, digits: DataSet, tmp_path: Path) -> None:
    run = fit(short("ae", ema_decay=decay, precision="32-true"), digits, tmp_path / "run", accelerator="cpu")
    best = min(record["validation/loss"] for record in run.record.history["train"])
    x = torch.from_numpy(digits.validation.samples) / 16
    with torch.no_grad():
        nats = run.network.likelihood.nll(run.network.decode(run.network.encode(x)), x)
    assert nats.mean().item() == pytest.approx(best, rel=1e-5)


def test_half_precision_trains_to_about_the_same_loss(digits: DataSet, tmp_path: Path) -> None:
    losses = [
        fit(short("sdae", precision=precision), digits, tmp_path / precision, accelerator="cpu").record.history[
            "fine-tune"
        ][-1]["validation/loss"]
        for precision in ("32-true", "bf16-mixed")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_the_seed_decides_the_run(digits: DataSet, tmp_path: Path) -> None:
    first, second, other = (
        fit(short("vae", seed=seed), digits, tmp_path / str(index), accelerator="cpu")
        for index, seed in enumerate((0, 0, 1))
    )
    assert are_equal(first, second)
    assert not are_equal(first, other)


def test_a_deadline_stops_after_the_epoch_and_the_run_can_be_resumed(digits: DataSet, tmp_path: Path) -> None:
    config = short("sdae", schedule="constant")  # another would end with the time
    whole = fit(config, digits, tmp_path / "whole", accelerator="cpu")
    stopped = fit(config, digits, tmp_path / "stopped", max_minutes=1e-9, accelerator="cpu")
    assert [len(records) for records in stopped.record.history.values()] == [1, 1, 1, 1, 1]
    resumed = fit(config, digits, tmp_path / "stopped", resume=True, accelerator="cpu")
    assert [len(records) for records in resumed.record.history.values()] == [2, 2, 2, 3, 3]
    assert are_equal(resumed, whole)


def test_training_stops_early_and_keeps_the_best_weights(digits: DataSet, tmp_path: Path) -> None:
    config = short(
        "ae", epochs=60, patience=2, learning_rate=0.03, schedule="constant", ema_decay=0.0, gradient_clip=None
    )
    run = fit(config, digits, tmp_path / "run", accelerator="cpu")
    losses = [record["validation/loss"] for record in run.record.history["train"]]
    assert len(losses) < 60
    best = min(losses)
    assert losses.index(best) == len(losses) - 3
    x = torch.from_numpy(digits.validation.samples) / 16
    with torch.no_grad():
        nats = run.network.likelihood.nll(run.network.decode(run.network.encode(x)), x)
    assert nats.mean().item() == pytest.approx(best, rel=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run(digits: DataSet, tmp_path: Path) -> None:
    """The update of step 1 ruins the weights, so the loss of step 2 is the first that is not finite."""
    config = short("ae", learning_rate=1e30, gradient_clip=None)
    message = "^train: the loss was not finite at step 2 of epoch 1; a smaller optimisation"
    with pytest.raises(RunError, match=message):
        fit(config, digits, tmp_path / "run", accelerator="cpu")
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_a_late_loss_that_is_not_finite_leaves_the_earlier_checkpoints(
    digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = short("sdae")
    step = Stage.training_step

    def not_finite(self: Stage, batch: Item, batch_index: int) -> torch.Tensor:
        is_bad = (self.plan.index, self.current_epoch, batch_index) == (1, 1, 4)
        return step(self, batch, batch_index) * (torch.nan if is_bad else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "training_step", not_finite)
        with pytest.raises(RunError, match="pretrain-layer-2: the loss was not finite at step 5 of epoch 2"):
            fit(config, digits, tmp_path / "run", accelerator="cpu")
    whole = fit(config, digits, tmp_path / "whole", accelerator="cpu")
    assert are_equal(fit(config, digits, tmp_path / "run", resume=True, accelerator="cpu"), whole)


def test_a_validation_loss_that_is_not_finite_is_an_error(digits: DataSet, tmp_path: Path) -> None:
    """With one batch per epoch, the training loss is finite, and only the validation sees the ruined weights."""
    config = short("ae", learning_rate=1e30, gradient_clip=None, batch_size=2000)
    with pytest.raises(RunError, match="train: the loss was not finite after epoch 1; a smaller"):
        fit(config, digits, tmp_path / "run", accelerator="cpu")
    assert not (tmp_path / "run" / "network.pt").exists()


def test_a_run_cannot_continue_with_another_number_of_steps(digits: DataSet, tmp_path: Path) -> None:
    fit(short("ae"), digits, tmp_path / "run", max_minutes=1e-9, accelerator="cpu")
    checkpoint = torch.load(tmp_path / "run" / "0-train" / "last.ckpt", weights_only=True)
    torch.save({**checkpoint, "global_step": 4}, tmp_path / "run" / "0-train" / "last.ckpt")
    with pytest.raises(RunError, match=r"expected 7 steps per epoch, found 4; .* another number of processes"):
        fit(short("ae"), digits, tmp_path / "run", resume=True, accelerator="cpu")
