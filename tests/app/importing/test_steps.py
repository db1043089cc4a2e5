"""Numbers are converted to the graph's type and range, and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import (
    agree,
    imported,
)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_graphs_of_other_float_types_are_cast(tmp_path: Path, kind: int) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", dtype=kind)
    decoder = foreign.decoder(tmp_path / "d.onnx", dtype=kind)
    model, samples = imported(tmp_path), foreign.samples()
    (latents,) = foreign.run(encoder, samples.astype(foreign.TYPES[kind]))
    tolerance = 2e-3 if kind == TensorProto.FLOAT16 else 1e-5
    agree(model.encode(samples), latents, tolerance)
    agree(model.decode(latents.astype(np.float32)), foreign.run(decoder, latents)[0], tolerance)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)])
def test_bytes_are_scaled_to_the_value_range(tmp_path: Path, low: float, high: float) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [
            node("Cast", "x", "numbers", to=FLOAT),
            node("Flatten", "numbers", "flat"),
            node("MatMul", "flat w", "sums"),
            node("Div", "sums most", "code"),
        ],
        [("x", ["n", *SHAPE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("most", 255)],
        (TensorProto.UINT8, FLOAT),
    )
    foreign.decoder(tmp_path / "d.onnx")
    model = imported(tmp_path, "--range", str(low), str(high))
    pixels = np.random.default_rng(3).integers(0, 256, (8, *SHAPE), np.uint8)
    samples = (low + (high - low) * (pixels / 255)).astype(np.float32)
    (latents,) = foreign.run(encoder, pixels)
    agree(model.encode(samples), latents)
    for nudge in (-0.4, 0.4):  # rounds to the same pixel
        nudged = np.clip(samples + nudge * (high - low) / 255, low, high).astype(np.float32)
        agree(model.encode(nudged), latents)


def test_logits_become_numbers_of_the_range(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    decoder = foreign.linear_decoder(tmp_path / "d.onnx")
    latents = np.random.default_rng(0).standard_normal((4, LATENTS), np.float32)
    (logits,) = foreign.run(decoder, latents)
    model = imported(tmp_path, "--logits", "--range", "-1", "1")
    agree(model.decode(latents), 2 / (1 + np.exp(-logits)) - 1)
