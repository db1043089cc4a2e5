"""The meaning of the encoder's outputs: latents, or the mean and the spread of a Gaussian."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import UnfitGraph
from app.importing.steps import Step, logarithm, part

OUTPUT_WORDS = ("latents", "mu", "logvar", "sigma", "variance", "z", "-")
"""Words for an output in `--encoder-gives`. Outputs called z, a random draw, or - are left out."""
SPREAD_WORDS = ("logvar", "sigma", "variance")
IGNORED_WORDS = ("z", "-")

KNOWN_NAMES = {
    "mu": {"mu", "mean", "zmu", "zmean", "latentmean", "latentmu", "loc"},
    "logvar": {"logvar", "zlogvar", "logvariance", "zlogvariance", "latentlogvar"},
    "sigma": {"sigma", "std", "stddev", "zsigma", "zstd", "scale"},
    "variance": {"variance", "var", "zvar"},
    "z": {"z", "sample", "zsample", "latents"},
}
"""Names of outputs with a known meaning, reduced to lower-case letters."""


@dataclass(frozen=True)
class Head:
    """One of the contract's outputs: the graph's output that it is made from, and the steps between them."""

    name: str
    source: str
    steps: tuple[Step, ...] = ()


def parse_words(text: str) -> tuple[str, ...]:
    """Return the words of `--encoder-gives`. Raises UnfitGraph."""
    words = tuple(word.strip() for word in text.split(","))
    spreads = [word for word in words if word in SPREAD_WORDS]
    valid = (
        set(words) <= set(OUTPUT_WORDS)
        and words.count("mu") == len(spreads) <= 1
        and words.count("latents") == 1 - len(spreads)
    )
    if not valid:
        raise UnfitGraph(
            "--encoder-gives: expected latents, or mu with logvar, sigma or variance, and z or - for outputs to leave "
            f"out, in the order of the outputs, got {text!r}"
        )
    return words


def recognise(file_name: str, outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the words for outputs by their number and names. Raises UnfitGraph if they are unknown."""
    if len(outputs) == 1:
        return ("latents",)
    words = tuple(_word(output) for output in outputs)
    try:
        return parse_words(",".join(words))
    except UnfitGraph as error:
        raise UnfitGraph(
            f"{file_name} gives {', '.join(outputs)}: pass --encoder-gives, such as mu,logvar,z, in this order"
        ) from error


def choose_heads(
    file_name: str, outputs: Sequence[str], words: tuple[str, ...], row_shape: tuple[int, ...]
) -> list[Head]:
    """
    Return the contract's outputs. If two words describe a single output, each is one half of it.

    `row_shape` is the shape of one row of the first output. Raises UnfitGraph if words and outputs do not fit.
    """
    if len(outputs) == 1 and len(words) == 2 and "mu" in words:
        if len(row_shape) != 1 or row_shape[0] % 2:
            raise UnfitGraph(
                f"{file_name}: expected {outputs[0]} to be flat rows of two halves, got shape {list(row_shape)}"
            )
        places: list[tuple[str, tuple[Step, ...]]] = [
            (outputs[0], (part(index, 2, row_shape[0]),)) for index in range(2)
        ]
    elif len(words) == len(outputs):
        places = [(output, ()) for output in outputs]
    else:
        raise UnfitGraph(
            f"{file_name}: --encoder-gives names {', '.join(words)}, but its outputs are {', '.join(outputs)}"
        )
    sources = {word: place for word, place in zip(words, places, strict=True) if word not in IGNORED_WORDS}
    if "latents" in sources:
        return [Head("latents", *sources["latents"])]
    mu = Head("mu", *sources.pop("mu"))
    ((word, (source, steps)),) = sources.items()
    return [mu, Head("logvar", source, (*steps, *_to_logvar(word)))]


def _to_logvar(word: str) -> list[Step]:
    factor = {"logvar": 0, "variance": 1, "sigma": 2}[word]
    return [logarithm(factor, f"as logvar, {'2 ' if factor == 2 else ''}ln {word}")] if factor else []


def _word(output: str) -> str:
    """Return the word for the name of an output, or - if it is unknown."""
    plain = re.sub("[^a-z]", "", re.sub(r":\d+$", "", output).rsplit("/", 1)[-1].lower())
    return next((word for word, names in KNOWN_NAMES.items() if plain in names), "-")
