"""The number of torch's threads: as many as a step has work for, and as the machine has idle cores."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from app.engine.process import available_cores
from training.networks.base import Network

log = logging.getLogger(__name__)

THREADS = "threads.txt"
"""The file of a run that holds its number of threads: another number gives sums with other last digits."""
MIN_FLOP_PER_THREAD = 1_000_000_000
"""
Operations of a step for each thread.

Two threads, from 2 GFLOP on, cost at most a fifth more CPU time than one, and for small steps up to half more:
`bench.training_threads`, whose table is in the guide.
"""
PASSES = 3
"""A step's forward and backward pass, in forward passes."""


def use_threads(threads: int | None, network: Network, shape: tuple[int, ...], rows: int, folder: Path) -> None:
    """
    Set the number of torch's threads for a run: the given one, that of the resumed run, or one that fits the work.

    A step takes `rows` samples of this shape. OMP_NUM_THREADS is obeyed.
    """
    if "OMP_NUM_THREADS" in os.environ and threads is None:
        return
    record = folder / THREADS
    if threads is None and record.is_file():
        threads = int(record.read_text(encoding="utf-8"))
    if threads is None:
        flop, cores, idle = step_flop(network, shape, rows), available_cores(), idle_cores()
        threads = choose_threads(flop, cores, idle)
        log.info("%d of %d cores, %.0f idle, for steps of %.0f MFLOP", threads, cores, idle, flop / 1e6)
    record.write_text(f"{threads}\n", encoding="utf-8")
    torch.set_num_threads(threads)


def choose_threads(flop: int, cores: int, idle: float) -> int:
    """Return the number of threads for steps of so many operations; `idle` cores are not used by others."""
    return max(1, min(flop // MIN_FLOP_PER_THREAD, cores, round(idle)))


def idle_cores() -> float:
    """Return the machine's cores less its load of the last minute; all of them if the system does not report it."""
    cores = os.cpu_count() or 1
    if not hasattr(os, "getloadavg"):
        return float(cores)
    return max(0.0, cores - os.getloadavg()[0])


def step_flop(network: Network, shape: tuple[int, ...], rows: int) -> int:
    """Return the operations of a training step, from those of the reconstruction of one sample."""
    labels = torch.zeros(1, dtype=torch.int64) if network.classes else None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.reconstruct(torch.zeros(1, *shape), labels)
    return PASSES * rows * int(counter.get_total_flops())
