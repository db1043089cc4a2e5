"""Pairs with the traits of graphs that onnxruntime's tools and onnx write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from bench.imports.foreign_graphs import (
    CODE,
    FLOAT,
    HALF,
    IMAGES,
    RANDOM,
    keras_decoder,
    layers,
    node,
    save,
    sklearn,
    weights,
)
from bench.imports.trial import Answers, Rows, Trial, run


def optimised(folder: Path) -> None:
    """Write a pair whose encoder onnxruntime has optimised."""
    sklearn(FLOAT)(folder)
    (folder / "e.onnx").rename(folder / "plain.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(folder / "e.onnx")
    onnxruntime.InferenceSession(folder / "plain.onnx", options, providers=["CPUExecutionProvider"])


def quantised(folder: Path) -> None:
    """Write a pair whose encoder calculates with bytes and fixed scales, by onnxruntime's own operators."""
    layers(folder / "d.onnx", (CODE, HALF, 10), ("X", "variable"))
    scales = {name: np.float32(scale) for name, scale in (("xs", 0.02), ("ws", 0.005), ("ys", 0.03))}
    zeros = {"xz": np.uint8(128), "wz": np.int8(0), "yz": np.uint8(128)}
    w = RANDOM.integers(-100, 100, (10, CODE)).astype(np.int8)
    save(
        folder / "e.onnx",
        [
            node("QuantizeLinear", "X xs xz", "bytes"),
            helper.make_node(
                "QGemm", ["bytes", "xs", "xz", "w", "ws", "wz", "", "ys", "yz"], ["sums"], domain="com.microsoft"
            ),
            node("DequantizeLinear", "sums ys yz", "variable"),
        ],
        [("X", ["batch", 10])],
        [("variable", ["batch", CODE])],
        {**scales, **zeros, "w": w},
        domains=["com.microsoft"],
    )


def dynamic(folder: Path) -> None:
    """Write a pair whose encoder is quantised dynamically."""
    layers(folder / "d.onnx", (CODE, HALF, 10), ("X", "variable"))
    w = RANDOM.integers(-100, 100, (10, CODE)).astype(np.int8)
    save(
        folder / "e.onnx",
        [
            node("DynamicQuantizeLinear", "X", "bytes xs xz"),
            node("MatMulInteger", "bytes w xz wz", "whole"),
            node("Cast", "whole", "numbers", to=FLOAT),
            node("Mul", "xs ws", "scale"),
            node("Mul", "numbers scale", "variable"),
        ],
        [("X", ["batch", 10])],
        [("variable", ["batch", CODE])],
        {"w": w, "wz": np.int8(0), "ws": np.float32(0.005)},
    )


def outside(folder: Path) -> None:
    """Write a pair with all constants in another file, also the shapes of Reshape."""
    keras_decoder(folder)
    model = onnx.load(folder / "d.onnx")
    onnx.save(model, folder / "d.onnx", save_as_external_data=True, location="d.data", size_threshold=0)
    save(
        folder / "e.onnx",
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "z")],
        [("x", ["n", 8, 8, 1])],
        [("z", ["n", CODE])],
        {"w": weights(64, CODE)},
    )


def embedded(folder: Path, samples: Rows) -> Answers:
    """Return the answers of the graphs with their weights inside."""
    onnx.save(onnx.load(folder / "d.onnx"), folder / "whole.onnx")
    latents = run(folder / "e.onnx", samples)[0]
    return latents, run(folder / "whole.onnx", latents)[0]


RUNTIME = [
    Trial("onnxruntime", "optimised graph", optimised),
    Trial("onnxruntime", "bytes with fixed scales, QGemm", quantised),
    Trial("onnxruntime", "dynamic quantisation", dynamic, refused="quantised dynamically"),
    Trial("onnx", "all constants in another file", outside, original=embedded, **IMAGES),
]  # fmt: skip
