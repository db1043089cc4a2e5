"""The meaning of the outputs: latents, or the mean and the spread of a Gaussian; samples, or their logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import UnfitGraph
from app.importing.layout import OpenShape, Shape, describe_shape, fits
from app.importing.names import IGNORED_WORDS
from app.importing.steps import Step, logarithm, part, scale


@dataclass(frozen=True)
class Head:
    """One of the contract's outputs: the graph's output that it is made from, and the steps between them."""

    name: str
    source: str
    steps: tuple[Step, ...] = ()


def used_outputs(file_name: str, option: str, outputs: Sequence[str], words: Sequence[str]) -> list[str]:
    """Return the outputs whose word is not one to leave out. Raises UnfitGraph unless words and outputs fit."""
    if len(outputs) == 1:
        return list(outputs)
    if len(words) != len(outputs):
        raise UnfitGraph(f"{file_name}: {option} names {', '.join(words)}, but its outputs are {', '.join(outputs)}")
    return [output for output, word in zip(outputs, words, strict=True) if word not in IGNORED_WORDS]


def choose_heads(
    file_name: str, outputs: Sequence[str], words: Sequence[str], row_shape: Shape, decoder_shape: OpenShape
) -> list[Head]:
    """
    Return the encoder's outputs in the contract. If two words describe a single output, each is one half of it.

    `row_shape` is the shape of one row of the first output that is used, `decoder_shape` that of the decoder's input.
    Raises UnfitGraph if words and outputs do not fit.
    """
    if len(outputs) == 1 and len(words) > 1:
        used = [word for word in words if word not in IGNORED_WORDS]
        if len(words) != 2 or len(used) != 2:
            raise UnfitGraph(f"{file_name}: --encoder-gives names {', '.join(words)}, but it gives only {outputs[0]}")
        axis = halved_axis(file_name, outputs[0], row_shape, decoder_shape)
        places: list[tuple[str, tuple[Step, ...]]] = [
            (outputs[0], (part(index, 2, row_shape[axis], axis),)) for index in range(2)
        ]
    else:
        places = [(output, ()) for output in outputs]
    sources = {word: place for word, place in zip(words, places, strict=True) if word not in IGNORED_WORDS}
    if "latents" in sources:
        return [Head("latents", *sources["latents"])]
    mu = Head("mu", *sources.pop("mu"))
    ((word, (source, steps)),) = sources.items()
    return [mu, Head("logvar", source, (*steps, *_to_logvar(word)))]


def halved_axis(file_name: str, output: str, row_shape: Shape, half: OpenShape) -> int:
    """Return the axis along which a row is two halves of the other shape. Raises UnfitGraph if it is not clear."""
    if len(row_shape) == 1 and row_shape[0] % 2 == 0:
        return 0
    axes = halved_axes(row_shape, half)
    if len(axes) == 1:
        return axes[0]
    if not axes:
        raise UnfitGraph(
            f"{file_name}: expected {output} to be two halves, each of shape {describe_shape(half)}, "
            f"got {list(row_shape)}"
        )
    raise UnfitGraph(
        f"{file_name}: the halves of {output}, {list(row_shape)}, may lie along several axes: export the decoder with "
        "the shape of its latents"
    )


def halved_axes(row_shape: Shape, half: OpenShape) -> list[int]:
    """Return the axes along which a row can be two halves of the other shape."""
    halves = {
        axis: tuple(size // 2 if place == axis else size for place, size in enumerate(row_shape))
        for axis, size in enumerate(row_shape)
        if size % 2 == 0
    }
    return [axis for axis, shape in halves.items() if fits(half, shape)]


def _to_logvar(word: str) -> list[Step]:
    match word:
        case "log_std":
            return [scale(2, 0, "as logvar, 2 log_std")]
        case "sigma":
            return [logarithm(2, "as logvar, 2 ln sigma")]
        case "variance":
            return [logarithm(1, "as logvar, ln variance")]
    return []
