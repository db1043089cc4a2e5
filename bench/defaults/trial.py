"""One data set and seed: the command that a user types, and the errors of all on the same test rows."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.engine.autoencoder import Autoencoder
from app.engine.repository import load_version
from bench.defaults.rivals import pca, plain_loop
from bench.defaults.sets import DataSet
from training.__main__ import main as hourglass_train

Array = npt.NDArray[Any]
TEST_SHARE = 0.1
CONFIGS = {"images": "images-ae", "table": "table-ae"}


@dataclass(frozen=True)
class Result:
    """The mean squared errors on the test rows; of images in [0, 1], of tables in standard deviations."""

    rows: int
    latent_dim: int
    ours: float
    pca: float
    plain: float | None
    """The plain loop's; None if it was not run."""
    pythae: float | None
    """That of pythae's autoencoder; None if it was not run."""
    seconds: float
    """CPU time of the whole command."""


def attempt(
    data: DataSet, samples: Array, options: Sequence[str], seed: int, folder: Path, rivals: bool, pythae: Path | None
) -> Result:
    """Train, export and measure. `pythae` is the interpreter of an environment that has it."""
    train, test = parted(samples, seed, data.test_rows)
    started = cpu_seconds()
    model = trained(CONFIGS[data.kind], train, test, seed, folder, options)
    seconds = cpu_seconds() - started
    train_x, test_x = as_inputs(train, data.kind), as_inputs(test, data.kind)
    shift, scale = units(train_x, data.kind)
    flat_train, flat_test = (
        (x - shift) / scale for x in (train_x.reshape(len(train), -1), test_x.reshape(len(test), -1))
    )
    ours = (reconstructed(model, test_x).reshape(len(test), -1) - shift) / scale
    latent_dim = model.manifest.latent_dim
    shape = train_x.shape[1:]
    parts = [flat.reshape(-1, *shape).astype(np.float32) for flat in (flat_train, flat_test)]
    others: dict[str, float | None] = {"plain": None, "pythae": None}
    if rivals:
        answer = plain_loop(parts[0], parts[1], latent_dim, seconds, seed)
        others["plain"] = error(answer.reshape(len(test), -1), flat_test)
    if pythae:
        others["pythae"] = error(pythae_answer(pythae, parts, latent_dim, seconds, seed, folder), flat_test)
    linear = pca(flat_train, flat_test, latent_dim)
    rows = len(samples) if data.test_rows is None else len(train)
    return Result(rows, latent_dim, error(ours, flat_test), error(linear, flat_test), seconds=seconds, **others)


def parted(samples: Array, seed: int, test_rows: int | None = None) -> tuple[Array, Array]:
    """Return the rows to train on, and those that are held out: so many, or a tenth."""
    order = np.random.default_rng(seed).permutation(len(samples))
    held_out = test_rows or max(5, round(TEST_SHARE * len(samples)))
    return samples[order[held_out:]], samples[order[:held_out]]


def trained(config: str, train: Array, test: Array, seed: int, folder: Path, options: Sequence[str]) -> Autoencoder:
    """Train a configuration as the command line does, and return the exported version."""
    for name, part in (("train", train), ("test", test)):
        np.save(folder / f"{name}.npy", part, allow_pickle=False)
    version = run_command(
        [
            *("train", config, "--data", str(folder / "train.npy"), "--test", str(folder / "test.npy")),
            *("--name", "trial", "--seed", str(seed), "--run-dir", str(folder / "run")),
            *("--models-dir", str(folder / "models"), *options),
        ]
    )
    return load_version(version, "trial", int(version.name), 1)


def pythae_answer(
    python: Path, parts: Sequence[Array], latent_dim: int, seconds: float, seed: int, folder: Path
) -> Array:
    """Return the test rows, flattened, as pythae's autoencoder reconstructs them after the same CPU time."""
    paths = [folder / f"pythae-{name}.npy" for name in ("train", "test", "output")]
    for path, part in zip(paths, parts, strict=False):
        np.save(path, part, allow_pickle=False)
    root = Path(__file__).parents[2]
    subprocess.run(
        [python, "-m", "bench.defaults.pythae_rival", *paths, str(latent_dim), str(seconds), str(seed)],
        check=True,
        capture_output=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    return np.asarray(np.load(paths[2], allow_pickle=False))


def run_command(arguments: list[str]) -> Path:
    """Run `hourglass-train` in this process and return the folder that it prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = hourglass_train(arguments)
    if code:
        raise RuntimeError(f"hourglass-train {' '.join(arguments)} ended with {code}")
    return Path(printed.getvalue().strip().splitlines()[-1])


def as_inputs(samples: Array, kind: str) -> Array:
    """Return samples as the service takes them: images in [0, 1] with their channels first. float32."""
    if kind == "table":
        return samples.astype(np.float32)
    planes = samples[:, None] if samples.ndim == 3 else samples.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(planes, np.float32) / np.float32(255)


def units(train: Array, kind: str) -> tuple[Array | float, Array | float]:
    """Return the shift and the scale of the numbers that errors are measured in."""
    if kind == "images":
        return 0.0, 1.0
    scale = train.std(axis=0, dtype=np.float64)
    return train.mean(axis=0, dtype=np.float64), np.where(scale > 0, scale, 1.0)


def reconstructed(model: Autoencoder, samples: Array) -> Array:
    """Return decode(encode(x)) of all rows, computed by onnxruntime. Shapes: (N, *shape) -> (N, *shape)."""
    parts = [samples[start : start + 256] for start in range(0, len(samples), 256)]
    return np.concatenate([model.decode(model.encode(part)) for part in parts])


def error(output: Array, target: Array) -> float:
    """Return the mean squared error over all numbers."""
    return float(np.square(output - target, dtype=np.float64).mean())


def cpu_seconds() -> float:
    """Return the CPU time of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
