"""
Measure training steps on one and on two threads, for networks of several sizes: a Markdown table to stdout.

    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0 .venv/bin/python -m bench.training_threads

Beside other processes, only the CPU seconds mean something: two threads shorten a step only while two cores are idle.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from app.inputs import ImageInput, ValueRange, VectorInput
from training.config import load_config
from training.config.settings import with_settings
from training.fitting.draws import Draws
from training.fitting.threads import step_flop
from training.networks.base import Example
from training.networks.build import build_network

SECONDS = 0.5
"""Seconds of a measurement. Each is made three times, and the least of its medians counts."""
UNIT = ValueRange(low=0, high=1)
CASES: tuple[tuple[str, ImageInput | VectorInput, int, tuple[str, ...]], ...] = (
    ("digits-vae", ImageInput(shape=(1, 8, 8), value_range=UNIT), 64, ()),
    ("table-vae", VectorInput(shape=(12,)), 64, ()),
    ("table-vae", VectorInput(shape=(500,)), 64, ()),
    ("table-ae", VectorInput(shape=(100,)), 256, ("network.widths=256,128",)),
    ("table-ae", VectorInput(shape=(784,)), 128, ("network.widths=512,256",)),
    ("images-ae", ImageInput(shape=(1, 28, 28), value_range=UNIT), 16, ()),
    ("images-ae", ImageInput(shape=(3, 32, 32), value_range=UNIT), 64, ()),
    ("images-ae", ImageInput(shape=(1, 28, 28), value_range=UNIT), 128, ()),
    ("table-ae", VectorInput(shape=(784,)), 256, ("network.widths=1000,1000,1000",)),
    ("images-ae", ImageInput(shape=(3, 64, 64), value_range=UNIT), 64, ()),
)


def main() -> int:
    """Measure and print the table."""
    print("| network | samples | batch | MFLOP a step | wall 1, ms | wall 2, ms | CPU 1, ms | CPU 2, ms |")
    print("|---|---|---|---|---|---|---|---|")
    for name, sample, rows, settings in CASES:
        flop, step = training_step(name, sample, rows, settings)
        rounds = [[measure(step, threads) for threads in (1, 2)] for _ in range(3)]
        (wall_1, cpu_1), (wall_2, cpu_2) = (map(min, zip(*pairs, strict=True)) for pairs in zip(*rounds, strict=True))
        shape = "x".join(map(str, sample.shape))
        title = " ".join([name, *settings])
        numbers = " | ".join(f"{value:.2f}" for value in (wall_1, wall_2, cpu_1, cpu_2))
        print(f"| `{title}` | {shape} | {rows} | {flop / 1e6:.0f} | {numbers} |", flush=True)
    return 0


def training_step(
    name: str, sample: ImageInput | VectorInput, rows: int, settings: tuple[str, ...]
) -> tuple[int, Callable[[], None]]:
    """Return the operations of a step, and a function that takes one."""
    network = build_network(with_settings(load_config(name), list(settings), {}), sample)
    for weight in network.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    x, labels = torch.rand(rows, *sample.shape), torch.zeros(rows, dtype=torch.int64)

    def step() -> None:
        loss = network.loss(Example(x, x, labels), Draws(0, torch.device("cpu")))["loss"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()

    return step_flop(network, tuple(sample.shape), rows), step


def measure(step: Callable[[], None], threads: int) -> tuple[float, float]:
    """Return the median wall and the mean CPU milliseconds of a step."""
    torch.set_num_threads(threads)
    for _ in range(3):
        step()
    walls: list[float] = []
    begun, before = time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < SECONDS or len(walls) < 5:
        start = time.perf_counter()
        step()
        walls.append(time.perf_counter() - start)
    cpu = (time.process_time() - before) / len(walls)
    return 1000 * sorted(walls)[len(walls) // 2], 1000 * cpu


if __name__ == "__main__":
    sys.exit(main())
