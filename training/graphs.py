"""
Torch networks to ONNX graphs, and the proof that the graphs are what they must be.

The graphs take and give the user's units, have a symbolic batch axis and hold no randomness.
"""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

from app.engine.session import open_session
from app.manifest import DECODER, ENCODER, Parity, ValueRange
from training.errors import ExportError
from training.networks import Network
from training.preprocessing import Preprocessing

Array = npt.NDArray[np.float32]

OPSET = 18
PARITY_BATCHES = (1, 2, 7, 64)
ABSOLUTE, RELATIVE = 1e-5, 1e-4
"""torch and onnxruntime may differ by ABSOLUTE + RELATIVE * the largest output of the batch."""

STORED_AS_HALF = 4096
"""Weights of a tensor from which storing it as float16 is worth a node."""

RANDOM_OPERATORS = {
    "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout",
}  # fmt: skip


class EncoderGraph(nn.Module):
    """Samples in the user's units to latents, or to mu and logvar."""

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        """Shapes: (B, *input_shape) -> (B, latent_dim), once or twice"""
        return self.network.posterior(self.preprocessing(samples))


class DecoderGraph(nn.Module):
    """
    Latents, and labels where the network is conditional, to samples in the user's units.

    They are kept within the value range where there is one: what a Gaussian's mean is not by itself.
    """

    def __init__(self, network: Network, preprocessing: Preprocessing, value_range: ValueRange | None) -> None:
        super().__init__()
        self.network = network
        self.preprocessing = preprocessing
        self.value_range = value_range

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Shapes: (B, latent_dim) and, of a conditional network, (B,) -> (B, *input_shape)"""
        mean = self.network.likelihood.mean(self.network.decode(latents, labels))
        return self.in_range(self.preprocessing.inverse(mean))

    def in_range(self, samples: Tensor) -> Tensor:
        """Samples, kept within the value range. Shapes: (B, *input_shape) -> (B, *input_shape)"""
        if self.value_range is None:
            return samples
        return samples.clamp(self.value_range.low, self.value_range.high)


def write_graphs(
    encoder: EncoderGraph, decoder: DecoderGraph, folder: Path, samples: Array, heads: Sequence[str]
) -> Parity:
    """
    Write encoder.onnx and decoder.onnx, and prove them on real samples, blanks and noise.

    `samples` are real ones, at least 64, in the user's units; `heads` are the names of the encoder's outputs. Weights
    that were `rounded_to_half` take half the space. Raises ExportError.
    """
    encoder.eval().to("cpu")
    decoder.eval().to("cpu")
    network, preprocessing = decoder.network, decoder.preprocessing
    with torch.no_grad():
        latents = encoder(torch.from_numpy(samples[:2]))[0]
    _write(encoder, {"samples": torch.from_numpy(samples[:2])}, heads, folder / ENCODER)
    _write(decoder, named_inputs(network, latents), ["samples"], folder / DECODER)
    worst = 0.0
    largest = max(PARITY_BATCHES)
    random = np.random.default_rng(0)
    blank, noise = torch.zeros(largest, *samples.shape[1:]), random.random((largest, *samples.shape[1:]), np.float32)
    with torch.no_grad():
        synthetic = [decoder.in_range(preprocessing.inverse(x)).numpy() for x in (blank, torch.from_numpy(noise))]
    for rows in (samples[:largest], *synthetic):
        with torch.no_grad():
            codes = encoder(torch.from_numpy(rows))[0]
        worst = max(worst, compare(encoder, folder / ENCODER, {"samples": torch.from_numpy(rows)}))
        worst = max(worst, compare(decoder, folder / DECODER, named_inputs(network, codes)))
    drawn = torch.from_numpy(random.standard_normal((largest, latents.shape[1]), np.float32))
    worst = max(worst, compare(decoder, folder / DECODER, named_inputs(network, drawn)))
    return Parity(max_abs_difference=worst, batch_sizes=PARITY_BATCHES)


def named_inputs(network: Network, latents: Tensor) -> dict[str, Tensor]:
    """What the decoder graph takes: latents, and for a conditional network all labels in turn."""
    if not network.classes:
        return {"latents": latents}
    return {"latents": latents, "labels": torch.arange(len(latents)) % network.classes}


def rounded_to_half(network: Network) -> Network:
    """A copy whose large weights are numbers that float16 has, so that the graphs can store them in half the space."""
    rounded = copy.deepcopy(network)
    with torch.no_grad():
        for weight in rounded.parameters():
            if weight.numel() >= STORED_AS_HALF:
                weight.copy_(weight.half().float())
    return rounded


def forget_origin(model: onnx.ModelProto) -> None:
    """Remove what the exporter notes for its own debugging: stack traces, with the paths of this machine."""
    for noted in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del noted.metadata_props[:]
        noted.doc_string = ""
    del model.graph.value_info[:]


def store_as_half(model: onnx.ModelProto) -> None:
    """
    Store large weights as float16, where that loses nothing, and cast them back to float32.

    onnxruntime folds the casts when it loads the graph: nothing is slower afterwards, and all arithmetic is float32.
    """
    casts = []
    for tensor in model.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = weights.astype(np.float16)
        if weights.dtype != np.float32 or weights.size < STORED_AS_HALF or not np.array_equal(half, weights):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], f"{name}.cast", to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _write(graph: nn.Module, example: dict[str, Tensor], outputs: Sequence[str], path: Path) -> None:
    """Export one graph into one file, then check it."""
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
    onnx.save(model, path)
    check_graph(path)


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """The exporter speaks of packages that are not needed and of its own dependencies' deprecations."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


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
        raise ExportError(f"{path.name}: stack traces of the exporting machine in the graph")
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    random = sorted({node.op_type for node in nodes} & RANDOM_OPERATORS)
    if random:
        raise ExportError(f"{path.name}: random operators in the graph: {', '.join(random)}")
    for value in (*model.graph.input, *model.graph.output):
        if not value.type.tensor_type.shape.dim[0].dim_param:
            raise ExportError(f"{path.name}: the batch axis of {value.name} is fixed")


def compare(graph: nn.Module, path: Path, given: Mapping[str, Tensor]) -> float:
    """The largest difference between torch and onnxruntime over all batch sizes. Raises ExportError if too large."""
    session = open_session(path, threads=1)
    worst = 0.0
    for size in PARITY_BATCHES:
        rows = {name: tensor[:size] for name, tensor in given.items()}
        with torch.no_grad():
            answer = graph(*rows.values())
        expected = answer if isinstance(answer, tuple) else (answer,)
        answers = session.run(None, {name: tensor.numpy() for name, tensor in rows.items()})
        for ours, theirs in zip(answers, expected, strict=True):
            reference = theirs.numpy()
            difference = float(np.abs(ours - reference).max()) if ours.shape == reference.shape else np.inf
            if not difference <= ABSOLUTE + RELATIVE * float(np.abs(reference).max()):
                raise ExportError(f"{path.name}: torch and onnxruntime differ by {difference:.2g} at batch size {size}")
            worst = max(worst, difference)
    return worst
