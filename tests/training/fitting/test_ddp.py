"""Two processes under torchrun train like one process with a batch of twice the size, and write once."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.helpers.configurations import bundled_config, with_objective
from tests.helpers.histories import History, history_without_seconds
from training.config import Config, load_config
from training.data.dataset import DataSet
from training.data.load import load_data
from training.errors import RunError
from training.fitting.draws import Draws
from training.fitting.ranks import BatchShare, on_first_rank, rank, sum_over_ranks
from training.fitting.runs import RunRecord
from training.fitting.trainer import fit

ROOT = Path(__file__).parents[3]
BATCH = 100
ROWS = {"ae": 6 * BATCH + 3, "vae": 6 * BATCH + 1, "sdae": 6 * BATCH + 3}
"""Training rows. Two processes share the last batch unevenly: two rows and one, or one row and none."""
VALUES = torch.tensor([[0.0, 2.0], [0.0, 2.0], [9.0, 11.0]])
"""The two processes get two rows and one. The mean is 4, and the squared deviations sum to 2 * (16 + 4) + 25 + 49."""


def config_of(family: str, processes: int, **more: object) -> Config:
    """Return a configuration of three epochs, in which all processes together take 2 * BATCH rows per step."""
    options = {
        "epochs": 3,
        "ema_decay": 0.9,
        "gradient_clip": 50.0,
        "schedule": "constant",
        "batch_size": 2 * BATCH // processes,
        **more,
    }
    config = bundled_config(f"digits-{family}", **options)
    return with_objective(config, pretraining_epochs=1) if family == "sdae" else config


def rows_of_digits(family: str) -> DataSet:
    """Return digits with a number of training rows that no batch size divides."""
    config = load_config("digits-ae")
    data = load_data(config.data, None, 0)
    return replace(data, train=data.train.take(slice(ROWS[family])), validation=data.validation.take(slice(99)))


def train_in_two_processes(folder: Path) -> None:
    """Train the runs that the tests inspect, and write this process's results to a file. Each process calls it."""
    torch.set_num_threads(1)
    for family in ROWS:
        fit(config_of(family, 2), rows_of_digits(family), folder / family, accelerator="cpu")
    data = rows_of_digits("vae")
    fit(config_of("vae", 2), data, folder / "cut", max_minutes=1e-9, accelerator="cpu")
    fit(config_of("vae", 2), data, folder / "cut", resume=True, accelerator="cpu")
    results = [str(sum_over_ranks([torch.tensor(1.0 + rank())])), str(on_first_rank(lambda: "first"))]
    not_finite = config_of("ae", 2, learning_rate=1e30, gradient_clip=None)
    for config, name in ((config_of("ae", 2), "ae"), (not_finite, "not-finite")):
        try:
            fit(config, data, folder / name, accelerator="cpu")
        except RunError as error:
            results.append(str(error))
    share = BatchShare.of(len(VALUES), rank(), 2)
    results.append(f"{Draws(0, share=share).spread(VALUES[share.first : share.first + share.rows]).item():.6f}")
    (folder / f"rank-{rank()}.json").write_text(json.dumps(results))


def torchrun(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in two processes on this machine."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", module]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the two processes' runs."""
    folder = tmp_path_factory.mktemp("two")
    ended = torchrun("tests.training.fitting.test_ddp", str(folder))
    assert ended.returncode == 0, ended.stderr
    return folder


def history(run: Path) -> History:
    """Return the loss curves of a run, without the seconds."""
    return history_without_seconds(RunRecord.model_validate_json((run / "run.json").read_text()))


@pytest.mark.parametrize("family", list(ROWS))
def test_two_processes_give_the_loss_curve_of_one_with_the_double_batch(
    family: str, runs: Path, tmp_path: Path
) -> None:
    """Noise is included: a row's noise does not depend on its process."""
    fit(config_of(family, 1), rows_of_digits(family), tmp_path / "one", accelerator="cpu")
    one, two = history(tmp_path / "one"), history(runs / family)
    assert list(two) == list(one)
    for stage in one:
        for single, double in zip(one[stage], two[stage], strict=True):
            assert double == pytest.approx(single, rel=1e-5)


def test_a_resumed_run_of_two_processes_equals_an_uninterrupted_one(runs: Path) -> None:
    assert history(runs / "cut") == history(runs / "vae")
    weights = [torch.load(runs / name / "network.pt", weights_only=True) for name in ("cut", "vae")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_only_one_process_writes(runs: Path) -> None:
    for name in ("ae", "vae"):
        assert len(list((runs / name / "tensorboard").rglob("events.out.*"))) == 1
    assert not list(runs.rglob("lightning_logs"))


def test_an_error_stops_both_processes(runs: Path) -> None:
    first, second = (json.loads((runs / f"rank-{number}.json").read_text()) for number in (0, 1))
    assert (first[:2], second[:2]) == (["[3.0]", "first"], ["[3.0]", "None"])
    assert first[2:] == second[2:]
    assert "holds a run already" in first[2]
    assert "train: the loss was not finite at step 2 of epoch 1" in first[3]


def test_the_spread_is_taken_over_both_processes(runs: Path) -> None:
    spreads = [json.loads((runs / f"rank-{number}.json").read_text())[-1] for number in (0, 1)]
    assert spreads == [f"{math.sqrt(114 / 5):.6f}"] * 2


def test_the_command_prints_and_writes_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["train", "digits-ae", "--run-dir", str(run), "--epochs", "1", "--no-export", "--accelerator", "cpu"]
    ended = torchrun("training", *arguments)
    assert (ended.returncode, ended.stdout) == (0, f"{run}\n"), ended.stderr
    assert ended.stderr.count("epoch 1/1") == 1
    again = torchrun("training", *arguments)
    assert again.returncode == 1
    assert again.stderr.count("hourglass-train: ") == 1
    assert "holds a run already" in again.stderr


if __name__ == "__main__":
    train_in_two_processes(Path(sys.argv[1]))
