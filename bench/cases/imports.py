"""Imports: graphs as other tools export them, by the numbers of the cases that users met."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cases.case import Case
from bench.cases.programs import import_model

IMPORTED = r"exit 0.*models/m/1"
Writer = Callable[[Path], None]
Nodes = Sequence[tuple[str, str, str, dict[str, Any]]]
"""Operator, names of inputs, names of outputs, attributes."""


def imported(write: Writer, *options: str, decoder: str = "d.onnx") -> Callable[[Path], str]:
    """Return a function that writes a pair and imports it."""

    def run(scratch: Path) -> str:
        write(scratch)
        halves = ["--encoder", "e.onnx", *(["--decoder", decoder] if decoder else [])]
        return import_model(scratch, *halves, "--name", "m", *options)

    return run


def graph(
    path: Path,
    nodes: Nodes,
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, Sequence[Any]],
    constants: Mapping[str, Any],
    domains: Sequence[str] = (),
) -> None:
    """Write a graph of nodes (operator, inputs, outputs, attributes), whose domain stands before a dot."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    made = []
    for operator, sources, targets, attributes in nodes:
        domain, _, name = operator.rpartition(".")
        made.append(helper.make_node(name, sources.split(), targets.split(), domain=domain, **attributes))
    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in group.items()]
        for group in (inputs, outputs)
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid(domain, 1) for domain in domains)]
    written = helper.make_graph(made, "case", values[0], values[1], tensors)
    onnx.save(helper.make_model(written, opset_imports=opsets, ir_version=9), path)


def weights(*shape: int) -> Any:
    """Return random weights."""
    import numpy as np

    return np.random.default_rng(len(shape)).normal(0, 0.3, shape).astype(np.float32)


def table(
    scratch: Path, encoder: Sequence[Any] = (), gives: Sequence[str] = ("z",), domains: Sequence[str] = ()
) -> None:
    """Write a pair of 10 features and 4 latents, with other nodes in the encoder if there are any."""
    nodes = encoder or [("MatMul", "x w", "z", {})]
    constants = {"w": weights(10, 4), "u": weights(10, 4), "one": weights(1) * 0 + 1}
    outputs = dict.fromkeys(gives, ("n", 4))
    graph(scratch / "e.onnx", nodes, {"x": ("n", 10)}, outputs, constants, domains)
    graph(scratch / "d.onnx", [("MatMul", "z w", "y", {})], {"z": ("n", 4)}, {"y": ("n", 10)}, {"w": weights(4, 10)})


def heads(*names: str, draw: str = "") -> Writer:
    """Return a writer of a pair with a mean and a spread, and a draw by an operator."""

    def write(scratch: Path) -> None:
        nodes: Nodes = [("MatMul", "x w", names[0], {}), ("MatMul", "x u", names[1], {})]
        if draw:
            nodes = [*nodes, (draw, names[0], "noise", {}), ("Add", f"{names[0]} noise", names[2], {})]
        table(scratch, nodes, names, ["mine"] if draw.startswith("mine.") else [])

    return write


def windows(scratch: Path) -> None:
    """Write a pair of windows of 24 steps and 3 channels."""
    import numpy as np

    nodes: Nodes = [("Flatten", "x", "flat", {}), ("MatMul", "flat w", "z", {})]
    graph(scratch / "e.onnx", nodes, {"x": ("n", 24, 3)}, {"z": ("n", 4)}, {"w": weights(72, 4)})
    back: Nodes = [("MatMul", "z w", "flat", {}), ("Reshape", "flat s", "y", {})]
    constants = {"w": weights(4, 72), "s": np.array([-1, 24, 3])}
    graph(scratch / "d.onnx", back, {"z": ("n", 4)}, {"y": ("n", 24, 3)}, constants)


def moments(scratch: Path) -> None:
    """Write a pair whose encoder gives both moments in 8 channels."""
    nodes: Nodes = [("Conv", "x w", "latent_parameters", {"strides": [2, 2]})]
    outputs = {"latent_parameters": ("n", 8, 8, 8)}
    graph(scratch / "e.onnx", nodes, {"x": ("n", 3, 16, 16)}, outputs, {"w": weights(8, 3, 2, 2)})
    back: Nodes = [("ConvTranspose", "z w", "y", {"strides": [2, 2]})]
    graph(scratch / "d.onnx", back, {"z": ("n", 4, 8, 8)}, {"y": ("n", 3, 16, 16)}, {"w": weights(4, 3, 2, 2)})


def recurrent(scratch: Path) -> None:
    """Write a pair whose encoder has an initial state for one row."""
    import numpy as np

    windows(scratch)
    nodes: Nodes = [
        ("Transpose", "x", "t", {"perm": [1, 0, 2]}),
        ("GRU", "t w r b lengths state", "all", {"hidden_size": 4}),
        ("Gather", "all last", "step", {"axis": 0}),
        ("Reshape", "step s", "z", {}),
    ]
    constants = {
        "w": weights(1, 12, 3),
        "r": weights(1, 12, 4),
        "b": weights(1, 24),
        "state": np.zeros((1, 1, 4), "f4"),
    }
    more = {"lengths": np.array([24], "i4"), "last": np.array(-1), "s": np.array([1, 4])}
    graph(scratch / "e.onnx", nodes, {"x": (1, 24, 3)}, {"z": (1, 4)}, {**constants, **more})


def two_answers(scratch: Path) -> None:
    """Write a pair whose decoder gives a mean and a spread."""
    table(scratch)
    back: Nodes = [("MatMul", "z w", "mean", {}), ("MatMul", "z u", "logvar", {})]
    constants = {"w": weights(4, 10), "u": weights(4, 10)}
    graph(scratch / "d.onnx", back, {"z": ("n", 4)}, {"mean": ("n", 10), "logvar": ("n", 10)}, constants)


def conditional(scratch: Path) -> None:
    """Write a pair of which both halves take a one-hot label."""
    for name, size, out in (("e", 10, 4), ("d", 4, 10)):
        nodes: Nodes = [("MatMul", "x w", "a", {}), ("MatMul", "label u", "b", {}), ("Add", "a b", "y", {})]
        constants = {"w": weights(size, out), "u": weights(3, out)}
        graph(scratch / f"{name}.onnx", nodes, {"x": ("n", size), "label": ("n", 3)}, {"y": ("n", out)}, constants)


def whole(scratch: Path) -> None:
    """Write a whole autoencoder in one file."""
    nodes: Nodes = [("MatMul", "x w", "a", {}), ("Relu", "a", "code", {}), ("MatMul", "code v", "y", {})]
    constants = {"w": weights(10, 3), "v": weights(3, 10)}
    graph(scratch / "e.onnx", nodes, {"x": ("n", 10)}, {"y": ("n", 10)}, constants)


def in_training_mode(scratch: Path) -> None:
    """Write a pair whose encoder drops numbers at random."""
    import numpy as np

    nodes: Nodes = [("Dropout", "x half yes", "less", {}), ("MatMul", "less w", "z", {})]
    table(scratch)
    constants = {"half": np.float32(0.5), "yes": np.bool_(True), "w": weights(10, 4)}
    graph(scratch / "e.onnx", nodes, {"x": ("n", 10)}, {"z": ("n", 4)}, constants)


def counts(scratch: Path) -> None:
    """Write a pair whose encoder takes the logarithm of its counts plus one."""
    table(scratch, [("Add", "x one", "more", {}), ("Log", "more", "logs", {}), ("MatMul", "logs w", "z", {})])


def volumes(scratch: Path) -> None:
    """Write a pair of volumes."""
    import numpy as np

    nodes: Nodes = [("Flatten", "x", "flat", {}), ("MatMul", "flat w", "z", {})]
    graph(scratch / "e.onnx", nodes, {"x": ("n", 1, 4, 5, 6)}, {"z": ("n", 4)}, {"w": weights(120, 4)})
    back: Nodes = [("MatMul", "z w", "flat", {}), ("Reshape", "flat s", "y", {})]
    constants = {"w": weights(4, 120), "s": np.array([-1, 1, 4, 5, 6])}
    graph(scratch / "d.onnx", back, {"z": ("n", 4)}, {"y": ("n", 1, 4, 5, 6)}, constants)


CASES = [
    Case("E1", "z_mean, z_log_var, z; an operator of another domain before z", imported(
        heads("z_mean", "z_log_var", "z", draw="mine.Draw")), IMPORTED),
    Case("E1.2", "the same, with --encoder-gives", imported(
        heads("a", "b", "c", draw="mine.Draw"), "--encoder-gives", "mu,logvar,z"), IMPORTED),
    Case("E3", "outputs mean, log_std", imported(heads("mean", "log_std")), r"exit 0.*2 log_std.*models/m/1"),
    Case("E3.2", "outputs embedding, log_covariance", imported(heads("embedding", "log_covariance")), IMPORTED),
    Case("E5", "windows of 24 steps, without options", imported(windows), IMPORTED),
    Case("E5.2", "windows, --shape 72", imported(windows, "--shape", "72"), IMPORTED),
    Case("E5.3", "windows, --shape 24 3", imported(windows, "--shape", "24", "3"), IMPORTED),
    Case("E7", "a GRU whose initial state is zeros for one row", imported(recurrent), IMPORTED),
    Case("E9", "moments in 8 channels, 4 of them latents", imported(moments, "--range", "0", "1"), IMPORTED),
    Case("E11", "a decoder of mean and logvar", imported(two_answers), IMPORTED),
    Case("E12", "one-hot labels in both halves", imported(conditional), IMPORTED),
    Case("E19", "counts, without a range", imported(counts), r"exit 1.*--range 0 HIGH"),
    Case("E20", "Dropout in training mode", imported(in_training_mode), r"exit 1.*call eval\(\) before exporting"),
    Case("E23", "volumes", imported(volumes), IMPORTED),
    Case("11", "one file for both halves", imported(whole, decoder="e.onnx"), r"exit 1.*same file.*--cut"),
    Case("11.2", "one file, cut", imported(whole, "--cut", "code", decoder=""), IMPORTED),
]  # fmt: skip
"""Cases by the numbers under which they were reported; further ones of the same kind have a second number."""
