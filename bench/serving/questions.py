"""What every contender is asked about a model, and what onnxruntime answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from bench.serving.contender import Array, Inputs, Load

QUESTIONS = "questions.npz"
ROWS = 32
LOADS: tuple[Load, ...] = get_args(Load)
KINDS: Mapping[str, tuple[str, ...]] = {
    "dense": ("bench-dense",),
    "conv": ("bench-conv",),
    "bundled": ("mnist-ae", "mnist-sdae", "mnist-vae", "mnist-vae-2d"),
}
"""Model repositories that `bench.serving.models` writes, and the models in them."""
ROWS_OF: Mapping[Load, int] = {"json-1": 1, "json-32": 32, "binary-32": 32, "png": 1, "decode-32": 32}


@dataclass(frozen=True)
class Questions:
    """The inputs, and for each load the rows that are the right answer, flat."""

    inputs: Inputs
    answers: Mapping[Load, Array]

    @classmethod
    def read(cls, folder: Path) -> Questions:
        """What `bench.serving.models` wrote beside a model's graphs."""
        with np.load(folder / QUESTIONS) as file:
            held = dict(file)
        inputs = Inputs(held["samples"], held["latents"], held["png"].tobytes())
        answers: dict[Load, Array] = {
            "json-1": held["encoded"][:1],
            "json-32": held["encoded"],
            "binary-32": held["encoded"],
            "png": held["encoded_png"],
            "decode-32": held["decoded"],
        }
        return cls(inputs, answers)
