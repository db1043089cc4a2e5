"""Pairs with the traits of graphs that Keras, scikit-learn, diffusers and onnxruntime write, built node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.imports.trial import Answers, Rows, Trial, run

Named = tuple[str, Sequence[int | str | None]]
FLOAT = TensorProto.FLOAT
RANDOM = np.random.default_rng(3)
CODE, HALF = 4, 8
"""Latents of the pairs, and features behind their hidden layer."""


def weights(*shape: int) -> Rows:
    """Return random weights."""
    return RANDOM.normal(0, 0.3, shape).astype(np.float32)


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """Return a node, from the names of its inputs and outputs, separated by spaces."""
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Named],
    outputs: Sequence[Named],
    constants: dict[str, Any],
    types: dict[str, int] | None = None,
    domains: Sequence[str] = (),
) -> None:
    """Write a graph."""
    known = types or {}
    takes, gives = (
        [helper.make_tensor_value_info(name, known.get(name, FLOAT), shape) for name, shape in group]
        for group in (inputs, outputs)
    )
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "foreign", takes, gives, initializers)
    opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)


def keras_decoder(folder: Path) -> None:
    """Write a decoder of images with the channels last, as tf2onnx does."""
    save(
        folder / "d.onnx",
        [
            node("MatMul", "z kernel", "dense"),
            node("Add", "dense bias", "sums"),
            node("Sigmoid", "sums", "unit"),
            node("Reshape", "unit shape", "Identity:0"),
        ],
        [("z", ["unk__1", CODE])],
        [("Identity:0", ["unk__2", 8, 8, 1])],
        {"kernel": weights(CODE, 64), "bias": weights(64), "shape": np.array([-1, 8, 8, 1])},
    )


def keras_variational(
    *names: str, operator: str = "RandomStandardNormal", domain: str = "tf"
) -> Callable[[Path], None]:
    """Return a writer of Keras's example: mean, spread, and a draw by an operator that onnxruntime does not have."""

    def write(folder: Path) -> None:
        mean, spread, draw = names
        nodes = [
            node("Transpose", "input_1", "first", perm=[0, 3, 1, 2]),
            node("Conv", "first kernel", "conv", strides=[2, 2]),
            node("Relu", "conv", "relu"),
            node("Flatten", "relu", "flat"),
            node("MatMul", "flat mean_kernel", mean),
            node("MatMul", "flat spread_kernel", spread),
            node("Shape", mean, "shape"),
            helper.make_node("RandomStandardNormal", ["shape"], ["noise"], domain=domain),
            node("Exp", spread, "exp"),
            node("Mul", "noise exp", "shift"),
            node("Add", f"{mean} shift", draw),
        ]
        constants = {
            "kernel": weights(2, 1, 2, 2),
            "mean_kernel": weights(32, CODE),
            "spread_kernel": weights(32, CODE),
        }
        inputs: list[Named] = [("input_1", ["unk__0", 8, 8, 1])]
        outputs: list[Named] = [(name, ["unk__0", CODE]) for name in names]
        save(folder / "e.onnx", nodes, inputs, outputs, constants, domains=[domain] if domain else [])
        keras_decoder(folder)
        mean_only = onnx.load(folder / "e.onnx")
        del mean_only.graph.output[1:], mean_only.graph.node[5:], mean_only.graph.initializer[2:]
        onnx.save(mean_only, folder / "mean.onnx")

    return write


def by_mean(folder: Path, samples: Rows) -> Answers:
    """Return the answers of the graph without its draw."""
    latents = run(folder / "mean.onnx", samples)[0]
    return latents, run(folder / "d.onnx", latents)[0]


def layers(path: Path, sizes: Sequence[int], ends: tuple[str, str], dtype: int = FLOAT) -> None:
    """Write a perceptron with hidden layers of ReLU, as skl2onnx does."""
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, Rows] = {}
    name = ends[0]
    for index, (size, out) in enumerate(pairwise(sizes)):
        constants |= {f"w{index}": weights(size, out).astype(kind), f"b{index}": weights(out).astype(kind)}
        last = index == len(sizes) - 2
        nodes += [node("MatMul", f"{name} w{index}", f"m{index}"), node("Add", f"m{index} b{index}", f"a{index}")]
        name = ends[1] if last else f"r{index}"
        nodes.append(node("Identity" if last else "Relu", f"a{index}", name))
    values = [(ends[0], [None, sizes[0]])], [(ends[1], [None, sizes[-1]])]
    save(path, nodes, *values, constants, dict.fromkeys(ends, dtype))


def sklearn(dtype: int) -> Callable[[Path], None]:
    """Return a writer of a pair of perceptrons."""

    def write(folder: Path) -> None:
        layers(folder / "e.onnx", (10, HALF, CODE), ("X", "variable"), dtype)
        layers(folder / "d.onnx", (CODE, HALF, 10), ("X", "variable"), dtype)

    return write


def columns(folder: Path) -> None:
    """Write a pair whose encoder has an input for each column, as skl2onnx does for a data frame."""
    sklearn(FLOAT)(folder)
    names = [f"column_{index}" for index in range(10)]
    model = onnx.load(folder / "e.onnx")
    model.graph.node.insert(0, node("Concat", " ".join(names), "X", axis=1))
    del model.graph.input[:]
    model.graph.input.extend(helper.make_tensor_value_info(name, FLOAT, [None, 1]) for name in names)
    onnx.save(model, folder / "e.onnx")


def doubles(folder: Path, samples: Rows) -> Answers:
    """Return the answers to samples in double precision."""
    latents = run(folder / "e.onnx", samples.astype(np.float64))[0]
    return latents, run(folder / "d.onnx", latents)[0]


def diffusers(split: bool) -> Callable[[Path], None]:
    """Return a writer of an AutoencoderKL of latents of 4 channels: moments in one output, or in two."""

    def write(folder: Path) -> None:
        nodes = [node("Conv", "sample kernel", "latent_parameters", strides=[2, 2])]
        outputs: list[Named] = [("latent_parameters", ["batch", 8, "h", "w"])]
        if split:
            nodes.append(node("Split", "latent_parameters", "mean logvar_raw", axis=1, num_outputs=2))
            nodes.append(node("Clip", "logvar_raw low high", "logvar"))
            outputs = [("mean", ["batch", 4, "h", "w"]), ("logvar", ["batch", 4, "h", "w"])]
        constants = {"kernel": weights(8, 3, 2, 2), "low": np.float32(-30), "high": np.float32(20)}
        save(folder / "e.onnx", nodes, [("sample", ["batch", 3, "height", "width"])], outputs, constants)
        save(
            folder / "d.onnx",
            [node("ConvTranspose", "latent_sample kernel", "sample", strides=[2, 2])],
            [("latent_sample", ["batch", 4, "h", "w"])],
            [("sample", ["batch", 3, "height", "width"])],
            {"kernel": weights(4, 3, 2, 2)},
        )

    return write


def first_moments(folder: Path, samples: Rows) -> Answers:
    """Return the first four channels of the encoder's output, and the decoder's answer to them."""
    latents = run(folder / "e.onnx", samples)[0][:, :4]
    return latents, run(folder / "d.onnx", latents)[0]


IMAGES: dict[str, Any] = {"shape": (8, 8, 1), "options": "--range 0 1", "low": 0, "high": 1}
COLOURS: dict[str, Any] = {"shape": (3, 8, 8), "options": "--range -1 1 --shape 3 8 8", "low": -1, "high": 1}

FOREIGN = [
    Trial("Keras", "z_mean, z_log_var, z; an operator before z that onnxruntime lacks",
          keras_variational("z_mean", "z_log_var", "z"), original=by_mean, **IMAGES),
    Trial("Keras", "the same, of the standard domain",
          keras_variational("z_mean", "z_log_sigma", "sampling", domain=""),
          original=by_mean, **IMAGES),
    Trial("Keras", "names of tf2onnx", keras_variational("Identity:0", "Identity_1:0", "Identity_2:0"),
          refused="pass --encoder-gives, such as mu,logvar,z", **IMAGES),
    Trial("Keras", "names of tf2onnx, said", keras_variational("Identity:0", "Identity_1:0", "Identity_2:0"),
          original=by_mean, **{**IMAGES, "options": "--range 0 1 --encoder-gives mu,logvar,z"}),
    Trial("scikit-learn", "perceptrons, float32", sklearn(FLOAT)),
    Trial("scikit-learn", "perceptrons, float64", sklearn(TensorProto.DOUBLE), original=doubles),
    Trial("scikit-learn", "an input for each column", columns, refused="export it with one input of all columns"),
    Trial("diffusers", "moments in one output", diffusers(False), original=first_moments, **COLOURS),
    Trial("diffusers", "mean and logvar, clipped", diffusers(True), **COLOURS),
]  # fmt: skip
