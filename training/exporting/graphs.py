"""
Export networks as ONNX graphs, and check the graphs.

The graphs work in the user's units, have a symbolic batch axis and contain no randomness.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from app.arrays import Samples
from app.engine.session import open_session
from app.importing.tidy import Tolerance, forget_origin, largest_difference, random_operators
from app.manifest import DECODER, DENOISER, ENCODER, Parity
from training.errors import ExportError
from training.exporting.coarse import AnyModule, store_as_bytes
from training.networks.user_units import OUTPUT_NAMES, DecoderGraph, DenoiserGraph, EncoderGraph
from training.quiet import only_errors

OPSET = 18
PARITY_BATCHES = (1, 2, 7, 64)
PARITY_TOLERANCE = Tolerance(absolute=1e-5, relative=1e-4)
"""Allowed difference between torch and onnxruntime for each output of a batch."""
PARITY_SEED = 0
MIN_HALF_SIZE = 4096
"""Weights of a tensor from which storing it as float16 is worth an extra node."""


def write_graphs(
    encoder: EncoderGraph,
    decoder: DecoderGraph,
    folder: Path,
    samples: Samples,
    tolerance: Tolerance = PARITY_TOLERANCE,
    denoiser: DenoiserGraph | None = None,
) -> Parity:
    """
    Write encoder.onnx, decoder.onnx and, if there is one, denoiser.onnx; compare them with torch.

    They are compared on real samples, blanks and noise; `samples` are at least 64 real ones, in the user's units.
    Weights that were `rounded_to_half` take half the space, and those that were `rounded_to_bytes` a quarter.
    Raises ExportError.
    """
    encoder.eval().to("cpu")
    decoder.eval().to("cpu")
    with torch.no_grad():
        outputs = encoder(torch.from_numpy(samples[:2]))
    export_graph(encoder, {"samples": torch.from_numpy(samples[:2])}, OUTPUT_NAMES[len(outputs)], folder / ENCODER)
    export_graph(decoder, decoder.example_inputs(outputs[0]), ["samples"], folder / DECODER)
    largest = max(PARITY_BATCHES)
    random = np.random.default_rng(PARITY_SEED)
    differences = []
    batches = samples[:largest], *_synthetic_samples(decoder, samples.shape[1:], random)
    for rows in batches:
        with torch.no_grad():
            latents = encoder(torch.from_numpy(rows))[0]
        differences.append(compare(encoder, folder / ENCODER, {"samples": torch.from_numpy(rows)}, tolerance))
        differences.append(compare(decoder, folder / DECODER, decoder.example_inputs(latents), tolerance))
    latents = torch.from_numpy(random.standard_normal((largest, latents.shape[1]), np.float32))
    differences.append(compare(decoder, folder / DECODER, decoder.example_inputs(latents), tolerance))
    if denoiser:
        differences.append(_write_denoiser(denoiser, folder / DENOISER, batches, tolerance))
    return Parity(max_abs_difference=max(differences), batch_sizes=PARITY_BATCHES)


def _write_denoiser(denoiser: DenoiserGraph, path: Path, batches: Sequence[Samples], tolerance: Tolerance) -> float:
    """Write the graph, and return its largest difference from torch on these batches."""
    denoiser.eval().to("cpu")
    inputs = [{"samples": torch.from_numpy(rows)} for rows in batches]
    export_graph(denoiser, {"samples": inputs[0]["samples"][:2]}, ["denoised"], path)
    return max(compare(denoiser, path, rows, tolerance) for rows in inputs)


def _synthetic_samples(decoder: DecoderGraph, shape: tuple[int, ...], random: np.random.Generator) -> list[Samples]:
    """Return a batch of blanks and a batch of noise in [0, 1] of the network's units, in the user's units."""
    largest = max(PARITY_BATCHES)
    batches = torch.zeros(largest, *shape), torch.from_numpy(random.random((largest, *shape), np.float32))
    with torch.no_grad():
        return [decoder.clip_to_range(decoder.preprocessing.inverse(x)).numpy() for x in batches]


def rounded_to_half(network: AnyModule) -> AnyModule:
    """Return a copy whose large weights are rounded to numbers of float16, so that graphs can store them as such."""
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for weight in (*rounded.parameters(), *rounded.buffers()):
            if weight.numel() >= MIN_HALF_SIZE:
                weight.copy_(weight.half().float())
    return rounded


def store_as_half(model: onnx.ModelProto) -> None:
    """
    Store large weights as float16 if that loses nothing, with nodes that cast them back to float32.

    onnxruntime folds the casts when it loads the graph: running it is no slower, and all arithmetic is float32.
    """
    casts = []
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = weights.astype(np.float16)
        if weights.dtype != np.float32 or weights.size < MIN_HALF_SIZE or not np.array_equal(half, weights):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def export_graph(graph: nn.Module, example: dict[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    """Export one graph into one file, with inputs named as in the example, and check it. Raises ExportError."""
    batch = torch.export.Dim("batch")
    with _quiet_exporter():
        torch.onnx.export(
            graph.eval(),
            tuple(example.values()),
            path,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(example),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: batch} for _ in example),
            external_data=False,
            verbose=False,
        )
    model = onnx.load(path)
    forget_origin(model)
    store_as_half(model)
    store_as_bytes(model, lossless=True)
    onnx.save(model, path)
    check_graph(path)


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Suppress notes about packages that are not needed, and deprecations in the exporter's own dependencies."""
    loggers = ("torch.onnx", "onnxscript", "onnx_ir")
    with only_errors(*loggers), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def check_graph(path: Path) -> None:
    """Raise ExportError unless the file is one valid graph with a symbolic batch axis and no randomness."""
    model = onnx.load(path, load_external_data=False)
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ExportError(f"{path.name}: weights lie outside the file")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"{path.name}: {error}") from error
    if b"stack_trace" in path.read_bytes():
        raise ExportError(f"{path.name}: the graph holds stack traces of the exporting machine")
    random = random_operators(model)
    if random:
        raise ExportError(f"{path.name}: the graph holds random operators: {', '.join(random)}")
    for value in (*model.graph.input, *model.graph.output):
        if not value.type.tensor_type.shape.dim[0].dim_param:
            raise ExportError(f"{path.name}: the batch axis of {value.name} is fixed")


def compare(
    graph: nn.Module, path: Path, inputs: Mapping[str, Tensor], tolerance: Tolerance = PARITY_TOLERANCE
) -> float:
    """Return the largest difference between torch and onnxruntime over all batch sizes. Raises ExportError."""
    session = open_session(path, threads=1)
    largest = 0.0
    for size in PARITY_BATCHES:
        rows = {name: tensor[:size] for name, tensor in inputs.items()}
        with torch.no_grad():
            output = graph(*rows.values())
        expected = output if isinstance(output, tuple) else (output,)
        answers = session.run(None, {name: tensor.numpy() for name, tensor in rows.items()})
        for answer, reference in zip(answers, (tensor.numpy() for tensor in expected), strict=True):
            difference = largest_difference(answer, reference)
            if not tolerance.allows(difference, reference):
                raise ExportError(f"{path.name}: torch and onnxruntime differ by {difference:.2g} at batch size {size}")
            largest = max(largest, difference)
    return largest
