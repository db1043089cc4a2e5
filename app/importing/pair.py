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
from app.importing.decoding import plan_decoder
from app.importing.files import read_files
from app.importing.heads import Head, choose_heads, halved_axes, used_outputs
from app.importing.labels import read_labels
from app.importing.layout import SampleInput, Shape, fits, to_graph_shape
from app.importing.names import parse_decoder_words, parse_encoder_words, recognise_decoder, recognise_encoder
from app.importing.numbers import float_output, from_float32, label_ports, require_range, to_float32
from app.importing.original import Original
from app.importing.proof import check_finite_answers
from app.importing.request import ImportRequest, check_name
from app.importing.rewriting import GraphPlan, Port
from app.importing.samples import read_samples, sample_notes
from app.importing.steps import Step, apply, reshape, to_bytes
from app.inputs import ValueRange, VectorInput
from app.manifest import FAMILY_TASKS, Family, TaskName
from app.priors import DeterministicLatent, GaussianLatent


@dataclass(frozen=True)
class Pair:
    """An encoder and a decoder that fit each other, and the plan for each."""

    request: ImportRequest
    input: SampleInput
    latent: DeterministicLatent | GaussianLatent
    labels: tuple[str, ...]
    samples: Array
    """The golden samples: within the range, or from -2 to 2 without one."""
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
        names = dict.fromkeys(plan.original.file.path.name for plan in (self.encoder, self.decoder))
        return self.request.description or f"Imported from {', '.join(names)}."

    def describe(self) -> Iterator[str]:
        """Yield lines about the graphs and how they are adapted."""
        yield f"encoder  {self.encoder.original.describe()}"
        yield f"decoder  {self.decoder.original.describe()}"
        value_range = self.input.value_range
        values = f"{value_range.low:g} to {value_range.high:g}" if value_range else "any finite numbers"
        window = list(self.input.window) if isinstance(self.input, VectorInput) and self.input.window else None
        yield f"samples  {self.input.kind} {list(self.input.shape)}, {values}" + (
            f", flat from {window}" if window else ""
        )
        yield f"latents  {self.latent.kind}, {self.latent.dimension}"
        if self.labels:
            yield f"labels   {', '.join(self.labels)}"
        yield f"model    {self.family}: {', '.join(self.tasks)}"
        for part, plan in (("encoder", self.encoder), ("decoder", self.decoder)):
            yield from (f"adapted  {part}: {line}" for line in plan.describe())
        yield from (f"note     {note}" for note in self.notes)


def read_pair(request: ImportRequest) -> Pair:
    """Read both graphs, run each once, and plan how to adapt them. Raises UnfitGraph."""
    check_name(request.name)
    encoder_file, decoder_file = read_files(request)
    words = (
        parse_encoder_words(request.encoder_gives)
        if request.encoder_gives
        else recognise_encoder(encoder_file.name, encoder_file.outputs)
    )
    encoder = Original.open(
        encoder_file, used_outputs(encoder_file.name, "--encoder-gives", encoder_file.outputs, words), request.labels
    )
    decoder_words = (
        parse_decoder_words(request.decoder_gives)
        if request.decoder_gives
        else recognise_decoder(decoder_file.name, decoder_file.outputs)
    )
    decoder_outputs = used_outputs(decoder_file.name, "--decoder-gives", decoder_file.outputs, decoder_words)
    decoder = Original.open(decoder_file, decoder_outputs, request.labels)
    conditional = [(graph.name, graph.label) for graph in (encoder, decoder) if graph.label]
    labels = read_labels(request.labels, conditional)
    samples_input = read_samples(request, encoder.name, encoder.row_shape)
    samples = _scale_to_range(golden_samples(tuple(samples_input.shape)), samples_input.value_range)
    encoder_plan, row_shape = _plan_encoder(request, encoder, decoder, words, samples_input, samples, labels)
    dimension = math.prod(row_shape)
    gaussian = len(encoder_plan.outputs) == 2
    latent = GaussianLatent(dimension=dimension) if gaussian else DeterministicLatent(dimension=dimension)
    samples, answers, finite_notes = _finite(encoder_plan, samples, labels, samples_input.value_range)
    decoder_plan, notes = plan_decoder(request, decoder, decoder_words, samples_input, answers[0], row_shape, labels)
    notes = (
        *sample_notes(request, samples_input, encoder.row_shape),
        *finite_notes,
        *_size_notes(dimension, samples[0].size),
        *notes,
    )
    return Pair(request, samples_input, latent, labels, samples, encoder_plan, decoder_plan, notes)


def golden_labels(labels: Sequence[str], count: int) -> Rows | None:
    """Return an index of a label for each golden sample, or None for a model without labels."""
    return np.arange(count, dtype=np.int64) % len(labels) if labels else None


def _finite(
    plan: GraphPlan, samples: Array, labels: Sequence[str], value_range: ValueRange | None
) -> tuple[Array, list[Rows], list[str]]:
    """
    Return the golden samples whose outputs are finite, their outputs, and notes about those left out.

    Only samples of equal numbers may be left out, such as all 0, by whose sum a graph may divide. Raises UnfitGraph.
    """
    answers = plan.expected_outputs(samples, golden_labels(labels, len(samples)))
    finite = np.all([np.isfinite(answer).reshape(len(samples), -1).all(axis=1) for answer in answers], axis=0)
    equal = np.ptp(samples.reshape(len(samples), -1), axis=1) == 0
    if finite.all() or not (finite | equal).all():
        for port, answer in zip(plan.outputs, answers, strict=True):
            check_finite_answers(plan.original, port.name, answer, value_range)
        return samples, answers, []
    values = ", ".join(f"{sample.flat[0]:g}" for sample in samples[~finite])
    note = f"the encoder gives no finite numbers for samples whose numbers all are {values}: the server refuses these"
    samples = samples[finite]
    return samples, plan.expected_outputs(samples, golden_labels(labels, len(samples))), [note]


def _plan_encoder(
    request: ImportRequest,
    encoder: Original,
    decoder: Original,
    words: Sequence[str],
    samples_input: SampleInput,
    samples: Array,
    labels: Sequence[str],
) -> tuple[GraphPlan, Shape]:
    """Return the plan for the encoder, and the shape of a row of its latents in the original."""
    steps = (
        *to_graph_shape(encoder.name, samples_input, encoder.row_shape, request.layout),
        *_to_graph_numbers(encoder, samples_input.value_range),
    )
    shape = tuple(samples_input.shape)
    inputs = (Port("samples", shape, encoder.input_name, steps), *label_ports(encoder, labels))
    outputs = GraphPlan(encoder, inputs, ()).original_outputs(samples, golden_labels(labels, len(samples)))
    file = encoder.file
    first = outputs.get(encoder.output_names[0])
    row_shape = first.shape[1:] if first is not None else ()
    _check_halves(request, encoder, decoder, words, row_shape)
    heads = choose_heads(file.name, file.outputs, words, row_shape, decoder.row_shape)
    _check_positive(encoder, file.outputs, words, outputs)
    ports, latent_shape = _latent_ports(encoder, heads, outputs)
    return GraphPlan(encoder, inputs, ports), latent_shape


def _check_halves(
    request: ImportRequest, encoder: Original, decoder: Original, words: Sequence[str], row_shape: Shape
) -> None:
    """Raise UnfitGraph if the encoder's one output seems to hold mu and its spread, but no option says so."""
    unclear = len(encoder.file.outputs) == 1 and tuple(words) == ("latents",) and not request.encoder_gives
    if unclear and not fits(decoder.row_shape, row_shape) and halved_axes(row_shape, decoder.row_shape):
        size = math.prod(row_shape)
        raise UnfitGraph(
            f"{encoder.name} gives {size} numbers per sample, but {decoder.name} takes {size // 2}: name the "
            "halves, such as --encoder-gives mu,logvar"
        )


def _check_positive(encoder: Original, names: Sequence[str], words: Sequence[str], outputs: dict[str, Rows]) -> None:
    """Raise UnfitGraph if an output is a standard deviation or a variance by its word, but not positive."""
    for name, word in zip(names, words, strict=False):
        if word in ("sigma", "variance") and len(names) > 1 and name in outputs and (outputs[name] <= 0).any():
            raise UnfitGraph(
                f"{encoder.name}: {name} is taken for a {word}, but is not positive for all samples: pass "
                "--encoder-gives with what it is, such as mu,logvar or mu,log_std"
            )


def _latent_ports(encoder: Original, heads: Sequence[Head], outputs: dict[str, Rows]) -> tuple[tuple[Port, ...], Shape]:
    """Return the contract's outputs, which are flat, and the shape of their rows in the original."""
    ports, row_shapes = [], []
    for head in heads:
        output = float_output(encoder, head.source, outputs, "latents")
        steps = [*to_float32(output), *head.steps]
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


def _size_notes(latents: int, numbers: int) -> list[str]:
    """Return what a person should know about latents that are not fewer than the numbers of a sample."""
    if latents == numbers:
        return [f"the latents are as many as the numbers of a sample, {numbers}: is the encoder a whole autoencoder?"]
    if latents > numbers:
        return [f"the latents, {latents}, are more than the numbers of a sample, {numbers}: are the files swapped?"]
    return []


def _scale_to_range(unit: Array, value_range: ValueRange | None) -> Array:
    """Return numbers in [0, 1] scaled to the range; without a range, to -2..2."""
    low, span = (value_range.low, value_range.span) if value_range else (-2.0, 4.0)
    samples: Array = np.float32(low) + np.float32(span) * unit
    return samples.clip(value_range.low, value_range.high) if value_range else samples


def _to_graph_numbers(encoder: Original, value_range: ValueRange | None) -> list[Step]:
    """Return the steps from float32 in the range to the encoder's type of number."""
    if encoder.input_type == np.uint8:
        return to_bytes(require_range(value_range, encoder))
    return from_float32(encoder.input_type)
