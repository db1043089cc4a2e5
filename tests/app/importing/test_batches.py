"""A batch size that is written into the graph is removed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import (
    agree,
    imported,
)


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("allowzero", [0, 1])
def test_batch_sizes_in_reshape_nodes_are_freed(tmp_path: Path, size: int, allowzero: int) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [
            node("Relu", "x", "positive"),
            node("Reshape", "positive flat_shape", "flat", allowzero=allowzero),
            node("MatMul", "flat w", "code"),
        ],
        [("x", [size, *SHAPE])],
        [("code", [size, LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("flat_shape", [size, -1], np.int64)],
    )
    decoder = save(
        tmp_path / "d.onnx",
        [
            helper.make_node("Constant", [], ["shape"], value_ints=[size, *SHAPE]),
            node("MatMul", "code v", "sums"),
            node("Sigmoid", "sums", "flat"),
            node("Reshape", "flat shape", "x_hat"),
        ],
        [("code", [size, LATENTS])],
        [("x_hat", [size, *SHAPE])],
        [constant("v", foreign.weights(2, LATENTS, SIZE))],
    )
    model, samples = imported(tmp_path), foreign.samples(count=8)
    (latents,) = foreign.run(encoder, samples, batch_size=size)
    (reconstructions,) = foreign.run(decoder, latents, batch_size=size)
    for rows in (1, 2, 3, 8):
        agree(model.encode(samples[:rows]), latents[:rows])
        agree(model.reconstruct(samples[:rows]).samples, reconstructions[:rows])


def test_batch_sizes_in_resize_nodes_are_freed(tmp_path: Path) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    decoder = save(
        tmp_path / "d.onnx",
        [
            node("MatMul", "code v", "flat"),
            node("Reshape", "flat small", "image"),
            helper.make_node("Resize", ["image", "", "", "large"], ["larger"], mode="linear"),
            node("Sigmoid", "larger", "x_hat"),
        ],
        [("code", [1, LATENTS])],
        [("x_hat", [1, *SHAPE])],
        [
            constant("v", foreign.weights(2, LATENTS, 18)),
            constant("small", [1, 3, 2, 3], np.int64),
            constant("large", [1, *SHAPE], np.int64),
        ],
    )
    latents = np.random.default_rng(0).standard_normal((4, LATENTS), np.float32)
    agree(imported(tmp_path).decode(latents), foreign.run(decoder, latents)[0])
