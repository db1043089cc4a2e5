"""
Real ONNX models small enough to calculate by hand.

    encode([a, b, c, d]) = [a + b, c + d]          logvar = [log 1/4, log 1/4], so that the deviation is 1/2
    decode([p, q])       = [p/2, p/2, q/2, q/2], kept within [0, 1]

of images with one channel and two rows, [a, b] and [c, d]; or of a table with four columns, whose decoder keeps nothing
within anything. A conditional decoder adds a quarter of the label's number to every p/2 and q/2.

Beside them a mirror of any shape, whose latents are the sample itself: for files and limits.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.manifest import (
    DECODER,
    ENCODER,
    FAMILY_TASKS,
    GOLDEN,
    DeterministicLatent,
    Family,
    FileDigest,
    GaussianLatent,
    ImageInput,
    Manifest,
    ValueRange,
    VectorInput,
)

Array = npt.NDArray[np.float32]

POOL = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
LOGVAR = math.log(0.25)
IMAGE = ImageInput(shape=(1, 2, 2), value_range=ValueRange(low=0, high=1))
TABLE = VectorInput(shape=(4,), feature_names=("a", "b", "c", "d"))


def write_version(
    root: Path,
    name: str = "tiny",
    version: int = 1,
    family: Family = "autoencoder",
    kind: ImageInput | VectorInput = IMAGE,
    golden_offset: float = 0.0,
    labels: tuple[str, ...] = (),
) -> Path:
    """A whole version of a tiny model. With an offset, its golden samples are wrong by that much."""
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    variational = family == "variational-autoencoder"
    shape = kind.shape
    onnx.save(encoder_graph(shape, variational), folder / ENCODER)
    onnx.save(decoder_graph(shape, clip=isinstance(kind, ImageInput), conditional=bool(labels)), folder / DECODER)
    samples = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0.25, 0.75, 0.5, 0]], np.float32)
    latents = np.array([[0, 0], [2, 2], [1, 0.5]], np.float32)
    halves = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0.5, 0.5, 0.25, 0.25]], np.float32) + np.float32(golden_offset)
    heads = {"mu": latents, "logvar": np.full_like(latents, LOGVAR)} if variational else {"latents": latents}
    numbers = {"labels": np.array([0, 0, 1])} if labels else {}
    if labels:
        halves[2] += np.float32(0.25)
    np.savez(
        folder / GOLDEN,
        allow_pickle=False,
        samples=samples.reshape(-1, *shape),
        reconstructions=halves.reshape(-1, *shape),
        **heads,
        **numbers,
    )
    write_manifest(folder, name, version, family, kind, labels)
    return folder


def write_mirror(root: Path, name: str, kind: ImageInput | VectorInput) -> Path:
    """A variational model whose `mu` is the flat sample, whose `logvar` is 0, and whose decoder gives it its shape."""
    folder = root / name / "1"
    folder.mkdir(parents=True)
    size = math.prod(kind.shape)
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    shape = numpy_helper.from_array(np.array([-1, *kind.shape]), "shape")
    nodes = [helper.make_node("Flatten", ["samples"], ["mu"]), helper.make_node("Mul", ["mu", "zero"], ["logvar"])]
    onnx.save(graph(nodes, [("samples", kind.shape)], [("mu", (size,)), ("logvar", (size,))], [zero]), folder / ENCODER)
    nodes = [helper.make_node("Reshape", ["latents", "shape"], ["samples"])]
    onnx.save(graph(nodes, [("latents", (size,))], [("samples", kind.shape)], [shape]), folder / DECODER)
    flat = np.zeros((1, size), np.float32)
    samples = flat.reshape(1, *kind.shape)
    np.savez(folder / GOLDEN, samples=samples, mu=flat, logvar=flat, reconstructions=samples)
    write_manifest(folder, name, 1, "variational-autoencoder", kind, dimension=size)
    return folder


def write_manifest(
    folder: Path,
    name: str,
    version: int,
    family: Family,
    kind: ImageInput | VectorInput = IMAGE,
    labels: tuple[str, ...] = (),
    dimension: int = 2,
) -> None:
    """The manifest of what lies in the folder now."""
    variational = family == "variational-autoencoder"
    Manifest(
        name=name,
        version=version,
        description="Sums of pairs.",
        family=family,
        tasks=FAMILY_TASKS[family],
        input=kind,
        latent=GaussianLatent(dimension=dimension) if variational else DeterministicLatent(dimension=dimension),
        labels=labels,
        files={file: FileDigest.of(folder / file) for file in (ENCODER, DECODER, GOLDEN)},
    ).write(folder)


def encoder_graph(shape: tuple[int, ...], variational: bool) -> onnx.ModelProto:
    """Build the graph samples -> latents, or mu and logvar."""
    nodes = [helper.make_node("Flatten", ["samples"], ["flat"])]
    weights = [numpy_helper.from_array(POOL, "pool")]
    nodes.append(helper.make_node("MatMul", ["flat", "pool"], ["mu" if variational else "latents"]))
    outputs = ["mu", "logvar"] if variational else ["latents"]
    if variational:
        weights.append(numpy_helper.from_array(np.zeros((4, 2), np.float32), "zero"))
        weights.append(numpy_helper.from_array(np.array(LOGVAR, np.float32), "constant"))
        nodes.append(helper.make_node("MatMul", ["flat", "zero"], ["nothing"]))
        nodes.append(helper.make_node("Add", ["nothing", "constant"], ["logvar"]))
    return graph(nodes, [("samples", shape)], [(output, (2,)) for output in outputs], weights)


def decoder_graph(shape: tuple[int, ...], clip: bool, conditional: bool = False) -> onnx.ModelProto:
    """latents, and labels where it is conditional -> samples."""
    inputs: list[tuple[str, tuple[int, ...]]] = [("latents", (2,))]
    weights = [
        numpy_helper.from_array(POOL.T / 2, "spread"),
        numpy_helper.from_array(np.array([-1, *shape]), "shape"),
        numpy_helper.from_array(np.array(0, np.float32), "low"),
        numpy_helper.from_array(np.array(1, np.float32), "high"),
    ]
    nodes = [helper.make_node("MatMul", ["latents", "spread"], ["flat"])]
    last = "flat"
    if conditional:
        inputs.append(("labels", ()))
        weights.append(numpy_helper.from_array(np.array(0.25, np.float32), "quarter"))
        weights.append(numpy_helper.from_array(np.array([-1, 1]), "column"))
        nodes += [
            helper.make_node("Cast", ["labels"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["numbers", "column"], ["numbered"]),
            helper.make_node("Mul", ["numbered", "quarter"], ["quarters"]),
            helper.make_node("Add", ["flat", "quarters"], ["told"]),
        ]
        last = "told"
    if clip:
        nodes.append(helper.make_node("Clip", [last, "low", "high"], ["kept"]))
        last = "kept"
    nodes.append(helper.make_node("Reshape", [last, "shape"], ["samples"]))
    return graph(nodes, inputs, [("samples", shape)], weights)


def graph(
    nodes: list[onnx.NodeProto],
    takes: list[tuple[str, tuple[int, ...]]],
    gives: list[tuple[str, tuple[int, ...]]],
    weights: list[onnx.TensorProto],
    batch: str | int = "batch",
) -> onnx.ModelProto:
    """A model with float32 inputs, but for int64 `labels`, and, unless told otherwise, a symbolic batch axis."""

    def value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        dtype = TensorProto.INT64 if name == "labels" else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, dtype, [batch, *shape])

    inputs, outputs = ([value(*tensor) for tensor in tensors] for tensors in (takes, gives))
    made = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
