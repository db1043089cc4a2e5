"""
Real ONNX models whose results can be computed by hand.

    encode([a, b, c, d]) = [a + b, c + d]          logvar = [log 1/4, log 1/4]: the standard deviation is 1/2
    decode([p, q])       = [p/2, p/2, q/2, q/2], clipped to [0, 1]

They take images with one channel and two rows, [a, b] and [c, d], or a table with four columns; a table's decoder does
not clip. A conditional decoder adds a quarter of the label's index to every p/2 and q/2. A denoiser halves the numbers.
A prior takes [r, s, t] and gives [1 + s/4, 1 + t/4]; a conditional one adds the label's index to both.
A scorer adds up the squares of the numbers, which are their attributions, and compares the sum with nine scores:
0.5, 1, 1.5, …, 4.5. So [1, 1, 1, 1] has the score 4 and the p-value (2 + 1) / (9 + 1).

A mirror has any shape, and its latents are the sample itself. It serves tests of files and limits.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.engine.drift.ranks import CalibratedLatents, LatentRanks
from app.engine.scorer import CALIBRATED_LATENTS
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import (
    DECODER,
    DENOISER,
    ENCODER,
    FAMILY_TASKS,
    GOLDEN,
    PRIOR,
    SCORER,
    Family,
    FileDigest,
    Manifest,
    TaskName,
)
from app.priors import DeterministicLatent, FittedPrior, GaussianLatent
from app.scorers import FittedScorer

POOL = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
LOGVAR = math.log(0.25)
IMAGE = ImageInput(shape=(1, 2, 2), value_range=ValueRange(low=0, high=1))
TABLE = VectorInput(shape=(4,), feature_names=("a", "b", "c", "d"))
LABELS = ("low", "middle & up", "high")


def write_version(
    root: Path,
    name: str = "tiny",
    version: int = 1,
    family: Family = "autoencoder",
    kind: ImageInput | VectorInput = IMAGE,
    golden_offset: float = 0.0,
    labels: tuple[str, ...] = (),
    denoiser: bool = False,
    prior: bool = False,
    scorer: bool = False,
) -> Path:
    """Write a complete version of a tiny model. An offset makes its golden samples wrong by that much."""
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
    indices = {"labels": np.array([0, 0, 1])} if labels else {}
    if labels:
        halves[2] += np.float32(0.25)
    denoised, drawn = {}, {}
    if prior:
        onnx.save(prior_graph(bool(labels)), folder / PRIOR)
        drawn["noise"] = np.array([[9, 0, 0], [-9, 4, -4], [0, 2, 1]], np.float32)
        drawn["draws"] = np.array([[1, 1], [2, 0], [1.5, 1.25]], np.float32) + np.float32(golden_offset)
        if labels:
            drawn["draws"][2] += 1
    if denoiser:
        onnx.save(denoiser_graph(shape), folder / DENOISER)
        denoised["denoised"] = (samples / 2 + np.float32(golden_offset)).reshape(-1, *shape)
    scored = {}
    if scorer:
        onnx.save(scorer_graph(shape), folder / SCORER)
        scored["score"] = np.array([0, 4, 0.875], np.float32) + np.float32(golden_offset)
        scored["p_value"] = np.array([1, 0.3, 0.9], np.float32)
        scored["attribution"] = np.square(samples).reshape(-1, *shape)
    np.savez(
        folder / GOLDEN,
        allow_pickle=False,
        samples=samples.reshape(-1, *shape),
        reconstructions=halves.reshape(-1, *shape),
        **heads,
        **indices,
        **denoised,
        **drawn,
        **scored,
    )
    write_manifest(folder, name, version, family, kind, labels)
    return folder


def write_mirror(root: Path, name: str, kind: ImageInput | VectorInput) -> Path:
    """Write a variational model whose `mu` is the flat sample, whose `logvar` is 0, and whose decoder reshapes."""
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
    """Write the manifest of the files that are in the folder now."""
    variational = family == "variational-autoencoder"
    files = {
        file: FileDigest.of(folder / file)
        for file in (ENCODER, DECODER, DENOISER, PRIOR, SCORER, GOLDEN)
        if (folder / file).exists()
    }
    generate: tuple[TaskName, ...] = ("generate",) if PRIOR in files and not variational else ()
    score: tuple[TaskName, ...] = ("score",) if SCORER in files else ()
    Manifest(
        name=name,
        version=version,
        description="Sums of pairs.",
        family=family,
        tasks=(*FAMILY_TASKS[family], *generate, *score),
        input=kind,
        latent=GaussianLatent(dimension=dimension) if variational else DeterministicLatent(dimension=dimension),
        labels=labels,
        prior=fitted_prior(len(labels)) if PRIOR in files else None,
        scorer=fitted_scorer() if SCORER in files else None,
        files=files,
    ).write(folder)


def fitted_prior(labels: int = 0) -> FittedPrior:
    """Describe the tiny prior, as if it had been fitted."""
    return FittedPrior(
        noise_dimension=3,
        components=(1,) * max(1, labels),
        covariance="diagonal",
        fitted_on="no codes",
        chosen_by="hand",
        log_likelihood=-2.5,
    )


def fitted_scorer(calibration_rows: int = 9) -> FittedScorer:
    """Describe the tiny scorer, as if it had been fitted."""
    return FittedScorer(parts=("reconstruction",), bank_rows=0, calibration_rows=calibration_rows, fitted_on="no rows")


def add_latents(folder: Path) -> None:
    """Let the scorer of a version know the latents of its calibration rows."""
    model = onnx.load(folder / SCORER)
    ranks = LatentRanks(edges=(0.25, 1.0), ranks=(4, 9))
    text = CalibratedLatents(latents=(ranks, ranks)).model_dump_json()
    model.metadata_props.append(onnx.StringStringEntryProto(key=CALIBRATED_LATENTS, value=text))
    onnx.save(model, folder / SCORER)
    manifest = Manifest.read(folder)
    manifest.with_files(folder).write(folder)


def scorer_graph(shape: tuple[int, ...], random: bool = False, power: float = 2.0) -> onnx.ModelProto:
    """Build the graph samples -> score, p_value and attribution; a random one adds noise of its own to the score."""
    thresholds = np.arange(1, 10, dtype=np.float32) / 2
    numbers = {"power": power, "one": 1, "ten": 10, "thresholds": thresholds}
    weights = [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in numbers.items()]
    weights += [numpy_helper.from_array(np.array(value), name) for name, value in (("last", [1]), ("column", [-1, 1]))]
    nodes = [
        helper.make_node("Pow", ["samples", "power"], ["attribution"]),
        helper.make_node("Flatten", ["attribution"], ["flat"]),
        helper.make_node("ReduceSum", ["flat", "last"], ["sum"], keepdims=0),
        helper.make_node("RandomNormalLike" if random else "Sub", ["sum"] if random else ["sum", "sum"], ["chance"]),
        helper.make_node("Add", ["sum", "chance"], ["score"]),
        helper.make_node("Reshape", ["score", "column"], ["scores"]),
        helper.make_node("GreaterOrEqual", ["thresholds", "scores"], ["stranger"]),
        helper.make_node("Cast", ["stranger"], ["ones"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["ones", "last"], ["count"], keepdims=0),
        helper.make_node("Add", ["count", "one"], ["rank"]),
        helper.make_node("Sub", ["sum", "sum"], ["nothing"]),  # NaN if the sum is infinite
        helper.make_node("Add", ["rank", "nothing"], ["number"]),
        helper.make_node("Div", ["number", "ten"], ["p_value"]),
    ]
    outputs: list[tuple[str, tuple[int, ...]]] = [("score", ()), ("p_value", ()), ("attribution", shape)]
    return graph(nodes, [("samples", shape)], outputs, weights)


def prior_graph(conditional: bool = False, noise_dim: int = 3, random: bool = False) -> onnx.ModelProto:
    """Build the graph noise -> latents, or noise and labels -> latents; a random one adds noise of its own."""
    arrays = {"starts": [1], "ends": [3], "axes": [1], "column": [-1, 1]}
    weights = [numpy_helper.from_array(np.array(numbers), name) for name, numbers in arrays.items()]
    weights += [numpy_helper.from_array(np.array(x, np.float32), name) for name, x in (("one", 1), ("quarter", 0.25))]
    inputs: list[tuple[str, tuple[int, ...]]] = [("noise", (noise_dim,))]
    nodes = [
        helper.make_node("Slice", ["noise", "starts", "ends", "axes"], ["rest"]),
        helper.make_node("Mul", ["rest", "quarter"], ["quarters"]),
    ]
    last = "quarters"
    if conditional:
        inputs.append(("labels", ()))
        nodes += [
            helper.make_node("Cast", ["labels"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Reshape", ["numbers", "column"], ["numbered"]),
            helper.make_node("Add", [last, "numbered"], ["labelled"]),
        ]
        last = "labelled"
    if random:
        nodes += [
            helper.make_node("RandomNormalLike", [last], ["chance"]),
            helper.make_node("Add", [last, "chance"], ["chancy"]),
        ]
        last = "chancy"
    nodes.append(helper.make_node("Add", [last, "one"], ["latents"]))
    return graph(nodes, inputs, [("latents", (2,))], weights)


def denoiser_graph(shape: tuple[int, ...], output_shape: tuple[int, ...] | None = None) -> onnx.ModelProto:
    """Build the graph samples -> denoised, which halves every number. It may state another shape than it has."""
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    nodes = [helper.make_node("Mul", ["samples", "half"], ["denoised"])]
    return graph(nodes, [("samples", shape)], [("denoised", output_shape or shape)], [half])


def encoder_graph(shape: tuple[int, ...], variational: bool) -> onnx.ModelProto:
    """Build the graph samples -> latents, or samples -> mu and logvar if it is variational."""
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
    """Build the graph latents -> samples, or latents and labels -> samples if it is conditional."""
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
            helper.make_node("Add", ["flat", "quarters"], ["labelled"]),
        ]
        last = "labelled"
    if clip:
        nodes.append(helper.make_node("Clip", [last, "low", "high"], ["clipped"]))
        last = "clipped"
    nodes.append(helper.make_node("Reshape", [last, "shape"], ["samples"]))
    return graph(nodes, inputs, [("samples", shape)], weights)


def graph(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, tuple[int, ...]]],
    outputs: list[tuple[str, tuple[int, ...]]],
    weights: list[onnx.TensorProto],
    batch: str | int = "batch",
) -> onnx.ModelProto:
    """Build a model. Inputs are float32, except `labels`, which are int64; the batch axis is symbolic by default."""

    def value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
        dtype = TensorProto.INT64 if name == "labels" else TensorProto.FLOAT
        return helper.make_tensor_value_info(name, dtype, [batch, *shape])

    input_infos, output_infos = ([value(*tensor) for tensor in tensors] for tensors in (inputs, outputs))
    built = helper.make_graph(nodes, "tiny", input_infos, output_infos, weights)
    return helper.make_model(built, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
