"""An encoder and a decoder of others, read, adapted, and written as a version."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from app.engine.golden import golden_samples
from app.errors import UnfitGraph
from app.importing.heads import Head, choose_heads, parse_words, recognise
from app.importing.layout import into, latents_into, out_of
from app.importing.original import Original
from app.importing.request import Request, check_name, read_input
from app.importing.rewriting import Plan, Port
from app.importing.steps import Rows, Step, apply, cast, clip, reshape, sigmoid, to_bytes
from app.manifest import (
    FAMILY_TASKS,
    DeterministicLatent,
    Family,
    GaussianLatent,
    ImageInput,
    TaskName,
    ValueRange,
    VectorInput,
)

Array = npt.NDArray[np.float32]

MUCH_OUTSIDE = 0.1
"""Of the range's length: how far a decoder may overshoot before it seems to give something else."""


@dataclass(frozen=True)
class Pair:
    """An encoder and a decoder that fit each other, and how they become the contract's graphs."""

    request: Request
    input: ImageInput | VectorInput
    latent: DeterministicLatent | GaussianLatent
    encoder: Plan
    decoder: Plan
    notes: tuple[str, ...]

    @property
    def family(self) -> Family:
        """By what the encoder gives, and what was asked for."""
        if self.latent.kind == "gaussian":
            return "variational-autoencoder"
        return "denoising-autoencoder" if self.request.denoises else "autoencoder"

    @property
    def tasks(self) -> tuple[TaskName, ...]:
        """Those of the family, and denoise where that was asked for."""
        able = {*FAMILY_TASKS[self.family], *(["denoise"] if self.request.denoises else [])}
        return tuple(task for task in get_args(TaskName) if task in able)

    @property
    def description(self) -> str:
        """One sentence."""
        return self.request.description or f"Imported from {self.encoder.original.name}, {self.decoder.original.name}."

    def golden(self) -> Array:
        """Eight samples within the range; without one, around zero."""
        unit, value_range = golden_samples(tuple(self.input.shape)), self.input.value_range
        return _within(unit, value_range)

    def describe(self) -> Iterator[str]:
        """What was read and what is adapted, for a person."""
        yield f"encoder  {self.encoder.original.describe()}"
        yield f"decoder  {self.decoder.original.describe()}"
        low_high = self.input.value_range
        values = f"{low_high.low:g} to {low_high.high:g}" if low_high else "any finite numbers"
        yield f"samples  {self.input.kind} {list(self.input.shape)}, {values}"
        yield f"latents  {self.latent.kind}, {self.latent.dimension}"
        yield f"model    {self.family}: {', '.join(self.tasks)}"
        for what, plan in (("encoder", self.encoder), ("decoder", self.decoder)):
            yield from (f"adapted  {what}: {line}" for line in plan.describe())
        yield from (f"note     {note}" for note in self.notes)


def read_pair(request: Request) -> Pair:
    """The pair that was asked for, after both graphs were run as they came. Raises UnfitGraph."""
    check_name(request.name)
    encoder, decoder = Original.open(request.encoder), Original.open(request.decoder)
    given = read_input(request, encoder)
    shape = tuple(given.shape)
    front = (
        *into(encoder.name, shape, encoder.row, request.layout),
        *_numbers_into(encoder, given.value_range),
    )
    samples = _within(golden_samples(shape), given.value_range)
    outputs = encoder.run(apply(front, samples))
    heads = read_heads(request, encoder, decoder, outputs)
    ports, row = _latent_ports(encoder, heads, outputs)
    encoder_plan = Plan(encoder, Port("samples", shape, encoder.taken, front), ports)
    dimension = math.prod(row)
    latent = GaussianLatent(dimension=dimension) if len(ports) == 2 else DeterministicLatent(dimension=dimension)
    latents = encoder_plan.answers(samples)[0]
    decoder_plan, note = _plan_decoder(request, decoder, given, latents, row)
    return Pair(request, given, latent, encoder_plan, decoder_plan, note)


def read_heads(request: Request, encoder: Original, decoder: Original, outputs: dict[str, Rows]) -> list[Head]:
    """What the encoder's outputs are, by the option or by their names. Raises UnfitGraph."""
    first = outputs.get(encoder.outputs[0])
    row = first.shape[1:] if first is not None else ()
    if request.encoder_gives:
        return choose_heads(encoder.name, encoder.outputs, parse_words(request.encoder_gives), row)
    if len(encoder.outputs) == 1 and decoder.row[0] is not None and row == (2 * decoder.row[0],):
        raise UnfitGraph(
            f"{encoder.name} gives {row[0]} numbers for a sample, of which {decoder.name} takes {decoder.row[0]}: say "
            "what the halves are, such as --encoder-gives mu,logvar"
        )
    return choose_heads(encoder.name, encoder.outputs, recognise(encoder.name, encoder.outputs), row)


def _latent_ports(
    encoder: Original, heads: Sequence[Head], outputs: dict[str, Rows]
) -> tuple[tuple[Port, ...], tuple[int, ...]]:
    """The contract's outputs, which are flat, and the shape that one row of them had."""
    ports, rows = [], []
    for head in heads:
        answer = _floating(encoder, head.source, outputs)
        steps = [*_as_float32(answer), *head.steps]
        row = apply(steps, answer).shape[1:]
        flat = (math.prod(row),)
        ports.append(Port(head.name, flat, head.source, (*steps, *([] if row == flat else [reshape(flat)]))))
        rows.append(row)
    if rows.count(rows[0]) != len(rows):
        raise UnfitGraph(f"{encoder.name}: expected mu and its spread to have one shape, got {rows}")
    if not math.prod(rows[0]):
        raise UnfitGraph(f"{encoder.name}: expected at least one latent, got shape {list(rows[0])}")
    return tuple(ports), rows[0]


def _plan_decoder(
    request: Request, decoder: Original, given: ImageInput | VectorInput, latents: Array, row: tuple[int, ...]
) -> tuple[Plan, tuple[str, ...]]:
    """How the decoder becomes the contract's, and what a person should know of its output."""
    if decoder.kind == np.uint8:
        raise UnfitGraph(f"{decoder.name}: expected {decoder.taken} to be latents, which are no uint8")
    if len(decoder.outputs) != 1:
        raise UnfitGraph(f"{decoder.name}: expected one output, got {', '.join(decoder.outputs)}")
    front = [*latents_into(decoder.name, row, decoder.row), *_from_float32(decoder.kind)]
    taken = Port("latents", latents.shape[1:], decoder.taken, tuple(front))
    (name,) = decoder.outputs
    outputs = decoder.run(apply(front, latents))
    value_range, shape = given.value_range, tuple(given.shape)
    answer = _floating(decoder, name, outputs)
    steps = [*_as_float32(answer), *out_of(decoder.name, shape, answer.shape[1:], request.layout)]
    if request.logits:
        steps += sigmoid(_needed(value_range, decoder))
    notes: tuple[str, ...] = ()
    if value_range:
        low, high = (float(bound(apply(steps, answer))) for bound in (np.min, np.max))
        outside = max(value_range.low - low, high - value_range.high)
        if outside > MUCH_OUTSIDE * value_range.span:
            notes = (f"the decoder gave {low:.3g} to {high:.3g}; if these are logits, say --logits",)
        steps.append(clip(value_range))
    return Plan(decoder, taken, (Port("samples", shape, name, tuple(steps)),)), notes


def _within(unit: Array, value_range: ValueRange | None) -> Array:
    """Numbers in [0, 1] as numbers of the range; without one, from -2 to 2."""
    low, span = (value_range.low, value_range.span) if value_range else (-2.0, 4.0)
    samples: Array = np.float32(low) + np.float32(span) * unit
    return samples.clip(value_range.low, value_range.high) if value_range else samples


def _numbers_into(encoder: Original, value_range: ValueRange | None) -> list[Step]:
    """The steps from float32 in the range to the numbers that the encoder takes."""
    if encoder.kind == np.uint8:
        return to_bytes(_needed(value_range, encoder))
    return _from_float32(encoder.kind)


def _from_float32(kind: type[np.generic]) -> list[Step]:
    return [] if kind == np.float32 else [cast(kind)]


def _as_float32(answer: Rows) -> list[Step]:
    return [] if answer.dtype == np.float32 else [cast(np.float32)]


def _floating(original: Original, name: str, outputs: dict[str, Rows]) -> Rows:
    """An output, which must be floating-point numbers, a row for each row."""
    if name not in outputs:
        raise UnfitGraph(f"{original.name}: expected {name} to have a row for each row of {original.taken}")
    answer = outputs[name]
    if answer.dtype.kind != "f":
        raise UnfitGraph(f"{original.name}: expected {name} to be float32, float16 or float64, got {answer.dtype}")
    return answer


def _needed(value_range: ValueRange | None, original: Original) -> ValueRange:
    if value_range is None:
        raise UnfitGraph(f"{original.name}: bytes and logits need a range: say --range LOW HIGH, such as 0 1")
    return value_range
