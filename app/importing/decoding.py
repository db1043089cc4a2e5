"""The plan by which a decoder becomes the contract's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from app.arrays import Array, Rows
from app.errors import UnfitGraph
from app.importing.heads import halved_axis, used_outputs
from app.importing.layout import SampleInput, Shape, from_graph_shape, latents_to_graph_shape
from app.importing.numbers import float_output, from_float32, label_ports, require_range, to_float32
from app.importing.original import Original
from app.importing.request import ImportRequest
from app.importing.rewriting import GraphPlan, Port
from app.importing.steps import Step, apply, clip, part, sigmoid
from app.inputs import ValueRange

MAX_OVERSHOOT = 0.1
"""Distance outside the range, in units of its length, from which a decoder seems to give logits."""


def plan_decoder(
    request: ImportRequest,
    decoder: Original,
    words: Sequence[str],
    samples: SampleInput,
    latents: Array,
    row_shape: Shape,
    labels: Sequence[str],
) -> tuple[GraphPlan, tuple[str, ...]]:
    """
    Return the plan for the decoder, and notes about its output. Raises UnfitGraph.

    `latents` are the encoder's for the golden samples; `row_shape` is the shape of a row of them in the encoder.
    """
    if decoder.input_type == np.uint8:
        raise UnfitGraph(f"{decoder.name}: expected {decoder.input_name} to be latents, which are not uint8")
    front = (*latents_to_graph_shape(decoder.name, row_shape, decoder.row_shape), *from_float32(decoder.input_type))
    label_inputs = label_ports(decoder, labels) or [Port("labels", (), "", (), TensorProto.INT64)] * bool(labels)
    inputs = (Port("latents", latents.shape[1:], decoder.input_name, front), *label_inputs)
    outputs = GraphPlan(decoder, inputs, ()).original_outputs(
        latents, np.arange(len(latents), dtype=np.int64) % len(labels) if labels else None
    )
    name = used_outputs(decoder.name, "--decoder-gives", decoder.file.outputs, words)[0]
    output = float_output(decoder, name, outputs, "samples")
    steps = [*to_float32(output), *_half(decoder, name, words, samples, output)]
    steps += from_graph_shape(decoder.name, samples, apply(steps, output).shape[1:], request.layout)
    value_range = samples.value_range
    if request.logits or "logits" in words:
        steps += sigmoid(require_range(value_range, decoder))
    notes: tuple[str, ...] = ()
    if value_range:
        notes = _overshoot_notes(apply(steps, output), value_range)
        steps.append(clip(value_range))
    return GraphPlan(decoder, inputs, (Port("samples", tuple(samples.shape), name, tuple(steps)),)), notes


def _half(decoder: Original, name: str, words: Sequence[str], samples: SampleInput, output: Rows) -> list[Step]:
    """Return the step to one half of the only output, if two words describe it."""
    if len(decoder.file.outputs) != 1 or len(words) == 1:
        return []
    if len(words) != 2:
        raise UnfitGraph(f"{decoder.name}: --decoder-gives names {', '.join(words)}, but it gives only {name}")
    shape = output.shape[1:]
    expected = tuple(samples.shape)
    axis = 0 if len(shape) == 1 else halved_axis(decoder.name, name, shape, expected)
    index = next(at for at, word in enumerate(words) if word != "-")
    return [part(index, 2, shape[axis], axis)]


def _overshoot_notes(samples: Rows, value_range: ValueRange) -> tuple[str, ...]:
    low, high = float(samples.min()), float(samples.max())
    if max(value_range.low - low, high - value_range.high) <= MAX_OVERSHOOT * value_range.span:
        return ()
    return (f"the decoder gave {low:.3g} to {high:.3g}; if these are logits, pass --logits",)
