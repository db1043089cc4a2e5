"""Threads follow the work and the idle cores, OMP_NUM_THREADS is obeyed, and a resumed run keeps its number."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.inputs import ImageInput, ValueRange, VectorInput
from training.config import load_config
from training.config.settings import with_settings
from training.fitting.threads import MIN_FLOP_PER_THREAD, THREADS, choose_threads, idle_cores, step_flop, use_threads
from training.networks.base import Network
from training.networks.build import build_network


@pytest.fixture
def small() -> Network:
    """Return a dense network for 10 columns."""
    settings = ["network.latent_dim=4", "network.widths=64,32", "network.shortcut=false"]
    return build_network(with_settings(load_config("table-ae"), settings, {}), VectorInput(shape=(10,)))


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take OMP_NUM_THREADS away, and restore the number of threads afterwards."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("steps", "cores", "idle", "threads"),
    [
        (0.001, 8, 8.0, 1),
        (1.9, 8, 8.0, 1),
        (2, 8, 8.0, 2),
        (100, 8, 8.0, 8),
        (100, 8, 2.6, 3),  # others use the rest
        (100, 8, 0.0, 1),
        (100, 3, 60.0, 3),  # of the affinity or the control group
    ],
)
def test_threads_follow_the_work_and_the_idle_cores(steps: float, cores: int, idle: float, threads: int) -> None:
    assert choose_threads(int(steps * MIN_FLOP_PER_THREAD), cores, idle) == threads


def test_the_operations_of_a_dense_step_are_those_of_its_matrices(small: Network) -> None:
    weights = 2 * (10 * 64 + 64 * 32 + 32 * 4)
    assert step_flop(small, (10,), 256) == 3 * 256 * 2 * weights


def test_the_operations_of_an_image_network_are_counted() -> None:
    image = ImageInput(shape=(1, 28, 28), value_range=ValueRange(low=0, high=1))
    config = with_settings(load_config("images-ae"), ["network.widths=32,64,128"], {})
    assert step_flop(build_network(config, image), (1, 28, 28), 128) > MIN_FLOP_PER_THREAD


def test_a_small_network_gets_one_thread(small: Network, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    use_threads(None, small, (10,), 64, tmp_path)
    assert torch.get_num_threads() == 1
    assert (tmp_path / THREADS).read_text() == "1\n"


def test_the_variable_is_obeyed(small: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    torch.set_num_threads(2)
    use_threads(None, small, (10,), 64, tmp_path)
    assert torch.get_num_threads() == 2
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_keeps_its_number(small: Network, tmp_path: Path) -> None:
    (tmp_path / THREADS).write_text("2\n")
    use_threads(None, small, (10,), 64, tmp_path)
    assert torch.get_num_threads() == 2


def test_a_given_number_is_used(small: Network, tmp_path: Path) -> None:
    use_threads(2, small, (10,), 64, tmp_path)
    assert torch.get_num_threads() == 2


def test_idle_cores_are_those_without_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "getloadavg", lambda: (3.5, 0.0, 0.0))
    assert idle_cores() == 4.5
    monkeypatch.setattr(os, "getloadavg", lambda: (30.0, 0.0, 0.0))
    assert idle_cores() == 0
    monkeypatch.delattr(os, "getloadavg")
    assert idle_cores() == 8
