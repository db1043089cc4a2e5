"""A run: the same for a seed, the same when resumed, stopped in time, never mixed with another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.conftest import shortened
from training.config import Config
from training.data import DataSet
from training.errors import RunError
from training.fitting.callbacks import moving_average
from training.fitting.runs import Run, load_run, read_config, remove
from training.fitting.stages import FINAL_RATE, Stage, WholeNetwork, stages
from training.fitting.trainer import fit
from training.networks.build import build_network
from training.preprocessing import fit_preprocessing

Item = tuple[torch.Tensor, torch.Tensor]


def short(family: str, **more: object) -> Config:
    """Three epochs of everything, with every feature that has a state: clipping, schedule, moving average."""
    options = {"epochs": 3, "ema_decay": 0.9, "gradient_clip": 5.0, "batch_size": 200, **more}
    config = shortened(f"digits-{family}", **options)
    changes: dict[str, object] = {}
    if family == "sdae":
        changes = {"objective": config.objective.model_copy(update={"pretraining_epochs": 2})}
    return config.model_copy(update=changes)


def stages_of(config: Config, data: DataSet, steps_per_epoch: int) -> list[Stage]:
    """The stages of an untrained network."""
    network = build_network(config, data.input, len(data.classes))
    return stages(network, fit_preprocessing(config, data), config, steps_per_epoch, data.input.value_range)


def weights(run: Run) -> list[torch.Tensor]:
    """All weights."""
    return [weight.detach() for weight in run.network.parameters()]


def same(first: Run, second: Run) -> bool:
    """Bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def without_time(run: Run) -> dict[str, list[dict[str, float]]]:
    """The history but for the seconds."""
    return {
        stage: [{key: value for key, value in record.items() if key != "seconds"} for record in records]
        for stage, records in run.record.history.items()
    }


@pytest.mark.parametrize(
    ("family", "stage", "epoch"), [("ae", 0, 1), ("vae", 0, 2), ("sdae", 0, 1), ("sdae", 1, 0), ("sdae", 3, 2)]
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
    torch.manual_seed(99)  # whatever the global generator holds must not matter
    resumed = fit(short(family), digits, tmp_path / "cut", resume=True, accelerator="cpu")
    assert same(resumed, whole)
    assert without_time(resumed) == without_time(whole)


def test_a_run_that_was_moved_keeps_its_best_checkpoint(
    digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut long after the best epoch: a resumption that forgot it would take a later, worse one."""
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
    assert same(fit(config, digits, moved, resume=True, accelerator="cpu"), whole)


def test_a_stage_that_ended_as_time_ran_out_is_not_trained_further(digits: DataSet, tmp_path: Path) -> None:
    config = short("ae", epochs=1)
    first = fit(config, digits, tmp_path / "run", max_minutes=1e-9, accelerator="cpu")
    again = fit(config, digits, tmp_path / "run", resume=True, accelerator="cpu")
    assert again.record == first.record


def test_other_data_cannot_be_mixed_into_a_run(digits: DataSet, tmp_path: Path) -> None:
    fit(short("ae", epochs=1), digits, tmp_path / "run", accelerator="cpu")
    other = replace(digits, train=digits.train.take(slice(500)))
    with pytest.raises(RunError, match="the data differ from those that the run was started with"):
        fit(short("ae", epochs=1), other, tmp_path / "run", resume=True, accelerator="cpu")
    with pytest.raises(RunError, match="the data differ"):
        load_run(tmp_path / "run", other)


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_weights_that_are_validated_are_the_ones_that_are_returned(
    decay: float, digits: DataSet, tmp_path: Path
) -> None:
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


def test_a_seed_gives_the_same_run_and_another_seed_another(digits: DataSet, tmp_path: Path) -> None:
    first, second, other = (
        fit(short("vae", seed=seed), digits, tmp_path / str(index), accelerator="cpu")
        for index, seed in enumerate((0, 0, 1))
    )
    assert same(first, second)
    assert not same(first, other)


def test_out_of_time_ends_after_the_epoch_and_can_be_resumed_to_the_same_end(digits: DataSet, tmp_path: Path) -> None:
    whole = fit(short("sdae"), digits, tmp_path / "whole", accelerator="cpu")
    stopped = fit(short("sdae"), digits, tmp_path / "stopped", max_minutes=1e-9, accelerator="cpu")
    assert [len(records) for records in stopped.record.history.values()] == [1, 1, 1, 1]
    resumed = fit(short("sdae"), digits, tmp_path / "stopped", resume=True, accelerator="cpu")
    assert [len(records) for records in resumed.record.history.values()] == [2, 2, 2, 3]
    assert same(resumed, whole)


def test_a_finished_run_is_read_back_as_it_was(digits: DataSet, tmp_path: Path) -> None:
    run = fit(short("ae"), digits, tmp_path / "run", accelerator="cpu")
    again = load_run(tmp_path / "run", digits)
    assert same(run, again)
    assert (again.config, again.record) == (run.config, run.record)
    assert not again.network.training


def test_training_stops_early_and_keeps_the_best(digits: DataSet, tmp_path: Path) -> None:
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


def test_a_loss_that_is_not_finite_stops_the_run_at_once(digits: DataSet, tmp_path: Path) -> None:
    """The first step's update ruins the weights, so that the second step's loss is the first that is spoilt."""
    config = short("ae", learning_rate=1e30, gradient_clip=None)
    message = "^train: the loss was not finite at step 2 of epoch 1; a smaller learning_rate or gradient_clip may help$"
    with pytest.raises(RunError, match=message):
        fit(config, digits, tmp_path / "run", accelerator="cpu")
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_a_loss_that_is_spoilt_late_leaves_the_checkpoints_of_the_epochs_before(
    digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = short("sdae")
    step = Stage.training_step

    def spoilt(self: Stage, batch: Item, batch_index: int) -> torch.Tensor:
        bad = (self.plan.index, self.current_epoch, batch_index) == (1, 1, 4)
        return step(self, batch, batch_index) * (torch.nan if bad else 1.0)

    with monkeypatch.context() as patch:
        patch.setattr(Stage, "training_step", spoilt)
        with pytest.raises(RunError, match="pretrain-layer-2: the loss was not finite at step 5 of epoch 2"):
            fit(config, digits, tmp_path / "run", accelerator="cpu")
    whole = fit(config, digits, tmp_path / "whole", accelerator="cpu")
    assert same(fit(config, digits, tmp_path / "run", resume=True, accelerator="cpu"), whole)


def test_a_validation_loss_that_is_not_finite_is_an_error_and_no_model(digits: DataSet, tmp_path: Path) -> None:
    """One batch an epoch: its loss is finite, and what it did to the weights shows in validation alone."""
    config = short("ae", learning_rate=1e30, gradient_clip=None, batch_size=2000)
    with pytest.raises(RunError, match="train: the loss was not finite after epoch 1; a smaller learning_rate"):
        fit(config, digits, tmp_path / "run", accelerator="cpu")
    assert not (tmp_path / "run" / "network.pt").exists()


def test_a_run_cannot_go_on_with_another_number_of_steps(digits: DataSet, tmp_path: Path) -> None:
    fit(short("ae"), digits, tmp_path / "run", max_minutes=1e-9, accelerator="cpu")
    checkpoint = torch.load(tmp_path / "run" / "0-train" / "last.ckpt", weights_only=True)
    torch.save({**checkpoint, "global_step": 4}, tmp_path / "run" / "0-train" / "last.ckpt")
    with pytest.raises(RunError, match=r"expected 7 steps an epoch, found 4; .* another number of processes"):
        fit(short("ae"), digits, tmp_path / "run", resume=True, accelerator="cpu")


def test_a_folder_with_a_run_is_not_written_over(digits: DataSet, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    fit(short("ae", epochs=1), digits, folder, accelerator="cpu")
    with pytest.raises(RunError, match="--resume continues it, --overwrite starts again"):
        fit(short("ae", epochs=1), digits, folder, accelerator="cpu")
    with pytest.raises(RunError, match="the configuration differs"):
        fit(short("ae", epochs=2), digits, folder, resume=True, accelerator="cpu")
    remove(folder)
    assert not folder.exists()


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path, digits: DataSet) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for call in (read_config, remove):
        with pytest.raises(RunError, match="not the folder of a run"):
            call(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
    with pytest.raises(RunError, match="not the folder of a run"):
        load_run(tmp_path, digits)


def test_each_stage_trains_its_own_layer_and_the_last_one_all(digits: DataSet) -> None:
    config = short("sdae")
    plan = stages_of(config, digits, 5)
    network = plan[-1].network
    assert [stage.plan.name for stage in plan] == [
        "pretrain-layer-1",
        "pretrain-layer-2",
        "pretrain-layer-3",
        "fine-tune",
    ]
    counts = [sum(weight.numel() for weight in stage.trained()) for stage in plan]
    assert sum(counts[:3]) == counts[3] == sum(weight.numel() for weight in network.parameters())


def test_the_learning_rate_rises_then_falls_along_a_cosine(digits: DataSet) -> None:
    config = shortened("digits-ae", epochs=10)
    stage = stages_of(config, digits, 10)[0]
    assert [stage._rate(step) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert stage._rate(5 + 95 // 2) == pytest.approx((1 + FINAL_RATE) / 2, abs=0.02)
    assert stage._rate(100) == pytest.approx(FINAL_RATE)


def test_the_kl_weight_rises_in_training_and_is_final_in_validation(
    digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = shortened("digits-vae")  # warm-up over 5 epochs
    stage = stages_of(config, digits, 10)[0]
    assert isinstance(stage, WholeNetwork)
    for step, beta in ((0, 0.0), (25, 0.5), (50, 1.0), (500, 1.0)):
        monkeypatch.setattr(type(stage), "global_step", step)
        assert stage._beta(validating=False) == beta
        assert stage._beta(validating=True) == 1.0


def test_the_moving_average_forgets_the_random_start() -> None:
    update = moving_average(0.999)
    averages = [torch.tensor([100.0]), torch.tensor([[1.0]])]
    for count in range(1, 200):
        update(averages, [torch.tensor([1.0]), torch.tensor([[1.0]])], count)
    assert [average.item() for average in averages] == pytest.approx([1.0, 1.0], abs=0.01)
    late = [torch.tensor([1.0])]
    update(late, [torch.tensor([2.0])], 10**6)
    assert late[0].item() == pytest.approx(1.001, abs=1e-5)
