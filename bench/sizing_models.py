"""The models of `bench.sizing`: a copy of the bundled ones, and two untrained ones as `hourglass import` takes them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from bench.faults.server import ROOT

TABLE, IMAGES = "bench-table", "bench-images"
COLUMNS, TABLE_LATENTS, TABLE_WIDTH = 20, 8, 64
SIDE, IMAGE_LATENTS = 64, 64
WIDTHS = (3, 32, 64, 128)
"""Channels before and after each convolution, which halves the sides."""


class Graph:
    """An ONNX graph that grows layer by layer, with random weights that keep the variance of their input."""

    def __init__(self, name: str, shape: tuple[int, ...], output: str) -> None:
        self._random = np.random.default_rng(0)
        self._nodes: list[NodeProto] = []
        self._weights: list[TensorProto] = []
        self._output = output
        self._input = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        self._last = name

    def add(self, operator: str, *weights: tuple[int, ...] | list[int], **attributes: Any) -> None:
        """Add a node: a tuple is the shape of a weight, a list the values of a shape."""
        count = len(self._nodes)
        names = [f"weight{count}_{index}" for index in range(len(weights))]
        for name, weight in zip(names, weights, strict=True):
            self._weights.append(numpy_helper.from_array(self._values(weight), name))
        self._nodes.append(helper.make_node(operator, [self._last, *names], [f"value{count}"], **attributes))
        self._last = f"value{count}"

    def _values(self, weight: tuple[int, ...] | list[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
        if isinstance(weight, list):
            return np.array(weight, np.int64)
        scale = (weight[0] if len(weight) == 2 else weight[0] * 9) ** -0.5
        return np.asarray(self._random.standard_normal(weight) * scale, np.float32)

    def write(self, path: Path, shape: tuple[int, ...]) -> None:
        """Write the model, whose last node gives the output."""
        self._nodes[-1].output[0] = self._output
        output = helper.make_tensor_value_info(self._output, TensorProto.FLOAT, ["batch", *shape])
        graph = helper.make_graph(self._nodes, "bench", [self._input], [output], self._weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        onnx.save(model, path)


def write_table(folder: Path) -> list[str]:
    """Write a dense pair for rows of numbers, and return the options that import it."""
    encoder = Graph("samples", (COLUMNS,), "latents")
    encoder.add("MatMul", (COLUMNS, TABLE_WIDTH))
    encoder.add("Relu")
    encoder.add("MatMul", (TABLE_WIDTH, TABLE_LATENTS))
    encoder.write(folder / "encoder.onnx", (TABLE_LATENTS,))
    decoder = Graph("latents", (TABLE_LATENTS,), "samples")
    decoder.add("MatMul", (TABLE_LATENTS, TABLE_WIDTH))
    decoder.add("Relu")
    decoder.add("MatMul", (TABLE_WIDTH, COLUMNS))
    decoder.write(folder / "decoder.onnx", (COLUMNS,))
    return ["--name", TABLE]


def write_images(folder: Path) -> list[str]:
    """Write a convolutional pair for colour images, and return the options that import it."""
    encoder = Graph("samples", (WIDTHS[0], SIDE, SIDE), "latents")
    for before, after in pairwise(WIDTHS):
        encoder.add("Conv", (after, before, 3, 3), strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[3, 3])
        encoder.add("Relu")
    small = SIDE >> (len(WIDTHS) - 1)
    size = WIDTHS[-1] * small * small
    encoder.add("Flatten")
    encoder.add("MatMul", (size, IMAGE_LATENTS))
    encoder.write(folder / "encoder.onnx", (IMAGE_LATENTS,))
    decoder = Graph("latents", (IMAGE_LATENTS,), "samples")
    decoder.add("MatMul", (IMAGE_LATENTS, size))
    decoder.add("Reshape", [-1, WIDTHS[-1], small, small])
    for before, after in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True):
        decoder.add("ConvTranspose", (before, after, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1], kernel_shape=[4, 4])
        decoder.add("Relu" if after != WIDTHS[0] else "Sigmoid")
    decoder.write(folder / "decoder.onnx", (WIDTHS[0], SIDE, SIDE))
    return ["--name", IMAGES, "--range", "0", "1"]


def write_models(repository: Path) -> Path:
    """Write all models, and return their repository."""
    shutil.copytree(ROOT / "models", repository)
    for write in (write_table, write_images):
        folder = repository.parent / write.__name__
        folder.mkdir()
        options = write(folder)
        command = [str(Path(sys.executable).parent / "hourglass"), "import", *options, "--models-dir", str(repository)]
        command += ["--encoder", str(folder / "encoder.onnx"), "--decoder", str(folder / "decoder.onnx")]
        subprocess.run(command, check=True, capture_output=True, text=True)
    return repository
