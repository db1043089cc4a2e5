"""Read an encoder and a decoder made elsewhere, and plan how they become a version."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from app.arrays import Array, Rows
from app.engine.golden import golden_samples
from app.errors import UnfitGraph
from app.importing.heads import Head, choose_heads, parse_words, recognise
from app.importing.layout import from_graph_shape, latents_to_graph_shape, to_graph_shape
from app.importing.original import Original
from app.importing.request import ImportRequest, check_name, read_input
from app.importing.rewriting import GraphPlan, Port
from app.importing.steps import Step, apply, cast, clip, reshape, sigmoid, to_bytes
from app.inputs import ImageInput, ValueRange, VectorInput
from app.manifest import FAMILY_TASKS, DeterministicLatent, Family, GaussianLatent, TaskName

MAX_OVERSHOOT = 0.1
"""Distance outside the range, in units of its length, from which a decoder seems to give logits."""


@dataclass(frozen=True)
class Pair:
    """An encoder and a decoder that fit each other, and the plan for each."""

    request: ImportRequest
    input: ImageInput | VectorInput
    latent: DeterministicLatent | GaussianLatent
    encoder: GraphPlan
    decoder: GraphPlan
    notes: tuple[str, ...]

    @property
    def family(self) -> Family:
        """The family, by the encoder's outputs and the options."""
        if self.latent.kind == "gaussian":
            return "variational-autoencoder"
        return "denoising-autoencoder" if self.request.denoises else "autoencoder"

    @property
    def tasks(self) -> tuple[TaskName, ...]:
        """The tasks of the family, and denoise if the options ask for it."""
        names = {*FAMILY_TASKS[self.family], *(["denoise"] if self.request.denoises else [])}
        return tuple(task for task in get_args(TaskName) if task in names)

    @property
    def description(self) -> str:
        """One sentence for people."""
        return self.request.description or f"Imported from {self.encoder.original.name}, {self.decoder.original.name}."

    def golden_samples(self) -> Array:
        """Return eight samples within the range; without a range, from -2 to 2."""
        return _scale_to_range(golden_samples(tuple(self.input.shape)), self.input.value_range)

    def describe(self) -> Iterator[str]:
        """Yield lines about the graphs and how they are adapted."""
        yield f"encoder  {self.encoder.original.describe()}"
        yield f"decoder  {self.decoder.original.describe()}"
        value_range = self.input.value_range
        values = f"{value_range.low:g} to {value_range.high:g}" if value_range else "any finite numbers"
        yield f"samples  {self.input.kind} {list(self.input.shape)}, {values}"
        yield f"latents  {self.latent.kind}, {self.latent.dimension}"
        yield f"model    {self.family}: {', '.join(self.tasks)}"
        for part, plan in (("encoder", self.encoder), ("decoder", self.decoder)):
            yield from (f"adapted  {part}: {line}" for line in plan.describe())
        yield from (f"note     {note}" for note in self.notes)


def read_pair(request: ImportRequest) -> Pair:
    """Read both graphs, run each once, and plan how to adapt them. Raises UnfitGraph."""
    check_name(request.name)
    encoder, decoder = Original.open(request.encoder), Original.open(request.decoder)
    sample_input = read_input(request, encoder)
    shape, value_range = tuple(sample_input.shape), sample_input.value_range
    steps = (
        *to_graph_shape(encoder.name, shape, encoder.row_shape, request.layout),
        *_to_graph_numbers(encoder, value_range),
    )
    samples = _scale_to_range(golden_samples(shape), value_range)
    outputs = encoder.run(apply(steps, samples))
    heads = read_heads(request, encoder, decoder, outputs)
    ports, row_shape = _latent_ports(encoder, heads, outputs)
    encoder_plan = GraphPlan(encoder, Port("samples", shape, encoder.input_name, steps), ports)
    dimension = math.prod(row_shape)
    latent = GaussianLatent(dimension=dimension) if len(ports) == 2 else DeterministicLatent(dimension=dimension)
    latents = encoder_plan.expected_outputs(samples)[0]
    decoder_plan, notes = _plan_decoder(request, decoder, sample_input, latents, row_shape)
    return Pair(request, sample_input, latent, encoder_plan, decoder_plan, notes)


def read_heads(request: ImportRequest, encoder: Original, decoder: Original, outputs: dict[str, Rows]) -> list[Head]:
    """Return the meaning of the encoder's outputs, from the options or from their names. Raises UnfitGraph."""
    names = encoder.output_names
    first = outputs.get(names[0])
    row_shape = first.shape[1:] if first is not None else ()
    if request.encoder_gives:
        return choose_heads(encoder.name, names, parse_words(request.encoder_gives), row_shape)
    latent_dim = decoder.row_shape[0]
    if len(names) == 1 and latent_dim is not None and row_shape == (2 * latent_dim,):
        raise UnfitGraph(
            f"{encoder.name} gives {row_shape[0]} numbers per sample, but {decoder.name} takes {latent_dim}: name the "
            "halves, such as --encoder-gives mu,logvar"
        )
    return choose_heads(encoder.name, names, recognise(encoder.name, names), row_shape)


def _latent_ports(
    encoder: Original, heads: Sequence[Head], outputs: dict[str, Rows]
) -> tuple[tuple[Port, ...], tuple[int, ...]]:
    """Return the contract's outputs, which are flat, and the shape of their rows in the original."""
    ports, row_shapes = [], []
    for head in heads:
        output = _float_output(encoder, head.source, outputs)
        steps = [*_to_float32(output), *head.steps]
        row_shape = apply(steps, output).shape[1:]
        flat = (math.prod(row_shape),)
        if row_shape != flat:
            steps.append(reshape(flat))
        ports.append(Port(head.name, flat, head.source, tuple(steps)))
        row_shapes.append(row_shape)
    if row_shapes.count(row_shapes[0]) != len(row_shapes):
        raise UnfitGraph(f"{encoder.name}: expected mu and its spread to have the same shape, got {row_shapes}")
    if not math.prod(row_shapes[0]):
        raise UnfitGraph(f"{encoder.name}: expected at least one latent, got shape {list(row_shapes[0])}")
    return tuple(ports), row_shapes[0]


def _plan_decoder(
    request: ImportRequest,
    decoder: Original,
    sample_input: ImageInput | VectorInput,
    latents: Array,
    row_shape: tuple[int, ...],
) -> tuple[GraphPlan, tuple[str, ...]]:
    """Return the plan for the decoder, and notes about its output."""
    if decoder.input_type == np.uint8:
        raise UnfitGraph(f"{decoder.name}: expected {decoder.input_name} to be latents, which are not uint8")
    if len(decoder.output_names) != 1:
        raise UnfitGraph(f"{decoder.name}: expected one output, got {', '.join(decoder.output_names)}")
    front = (*latents_to_graph_shape(decoder.name, row_shape, decoder.row_shape), *_from_float32(decoder.input_type))
    (name,) = decoder.output_names
    output = _float_output(decoder, name, decoder.run(apply(front, latents)))
    value_range, shape = sample_input.value_range, tuple(sample_input.shape)
    steps = [*_to_float32(output), *from_graph_shape(decoder.name, shape, output.shape[1:], request.layout)]
    if request.logits:
        steps += sigmoid(_require_range(value_range, decoder))
    notes: tuple[str, ...] = ()
    if value_range:
        notes = _overshoot_notes(apply(steps, output), value_range)
        steps.append(clip(value_range))
    port = Port("latents", latents.shape[1:], decoder.input_name, front)
    return GraphPlan(decoder, port, (Port("samples", shape, name, tuple(steps)),)), notes


def _overshoot_notes(samples: Rows, value_range: ValueRange) -> tuple[str, ...]:
    low, high = float(samples.min()), float(samples.max())
    if max(value_range.low - low, high - value_range.high) <= MAX_OVERSHOOT * value_range.span:
        return ()
    return (f"the decoder gave {low:.3g} to {high:.3g}; if these are logits, pass --logits",)


def _scale_to_range(unit: Array, value_range: ValueRange | None) -> Array:
    """Return numbers in [0, 1] scaled to the range; without a range, to -2..2."""
    low, span = (value_range.low, value_range.span) if value_range else (-2.0, 4.0)
    samples: Array = np.float32(low) + np.float32(span) * unit
    return samples.clip(value_range.low, value_range.high) if value_range else samples


def _to_graph_numbers(encoder: Original, value_range: ValueRange | None) -> list[Step]:
    """Return the steps from float32 in the range to the encoder's type of number."""
    if encoder.input_type == np.uint8:
        return to_bytes(_require_range(value_range, encoder))
    return _from_float32(encoder.input_type)


def _from_float32(dtype: type[np.generic]) -> list[Step]:
    return [] if dtype == np.float32 else [cast(dtype)]


def _to_float32(output: Rows) -> list[Step]:
    return [] if output.dtype == np.float32 else [cast(np.float32)]


def _float_output(original: Original, name: str, outputs: dict[str, Rows]) -> Rows:
    """Return an output, or raise UnfitGraph unless it has floating-point numbers and a row for each row."""
    if name not in outputs:
        raise UnfitGraph(f"{original.name}: expected {name} to have a row for each row of {original.input_name}")
    output = outputs[name]
    if output.dtype.kind != "f":
        raise UnfitGraph(f"{original.name}: expected {name} to be float32, float16 or float64, got {output.dtype}")
    return output


def _require_range(value_range: ValueRange | None, original: Original) -> ValueRange:
    if value_range is None:
        raise UnfitGraph(f"{original.name}: bytes and logits need a range: pass --range LOW HIGH, such as 0 1")
    return value_range
