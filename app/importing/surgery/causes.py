"""True causes of refusals: training mode, randomness, quantisation by the batch."""

from __future__ import annotations

import onnx

from app.errors import UnfitGraph
from app.importing.tidy import nodes, random_operators

TRAINING_DROPOUT = "Dropout in training mode"
LIKE_DROPOUT = {"Bernoulli", "RandomUniform", "RandomUniformLike"}
"""Random operators that exporters write for Dropout in training mode."""
DYNAMIC_QUANTISATION = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}
"""Operators that choose their scale by all the rows of a batch."""
MIN_TRAINING_OUTPUTS = 2
"""Batch normalisation gives its new statistics, too, if it is in training mode."""


def check_inference_mode(model: onnx.ModelProto, name: str) -> None:
    """Raise UnfitGraph if a node is in training mode or draws random numbers."""
    random = random_operators(model)
    modes = (["Dropout"] if TRAINING_DROPOUT in random else []) + _training_normalisation(model)
    if modes:
        raise UnfitGraph(
            f"{name} was exported in training mode ({', '.join(modes)}): call eval() before exporting, or pass "
            "training=False"
        )
    if random:
        advice = " (or, if this is Dropout, call eval() before exporting)" if LIKE_DROPOUT & {*random} else ""
        raise UnfitGraph(
            f"{name}: expected a graph without randomness, got {', '.join(random)}; export mu and logvar: "
            f"the server draws, seeded{advice}"
        )


def cause_of_differences(model: onnx.ModelProto, batch_size: int | None) -> str:
    """Return why rows may have other answers in a batch than one at a time, and the remedy."""
    dynamic = sorted({node.op_type for node in nodes(model)} & DYNAMIC_QUANTISATION)
    if dynamic:
        return (
            f"it is quantised dynamically ({', '.join(dynamic)}), so that its scale depends on all the rows of a "
            "batch; quantise it with fixed scales (onnxruntime's quantize_static), or import the graph that was not "
            "quantised"
        )
    if batch_size:
        return (
            f"its batch size, {batch_size}, is built into its nodes; export it with a free batch axis "
            "(torch.onnx.export: dynamic_shapes, or dynamic_axes with dynamo=False)"
        )
    return "its rows depend on each other; if it has batch normalisation or Dropout, call eval() before exporting"


def _training_normalisation(model: onnx.ModelProto) -> list[str]:
    found = [
        node
        for node in nodes(model)
        if node.op_type == "BatchNormalization"
        and (
            any(attribute.name == "training_mode" and attribute.i for attribute in node.attribute)
            or sum(bool(output) for output in node.output) >= MIN_TRAINING_OUTPUTS
        )
    ]
    return ["BatchNormalization"] if found else []
