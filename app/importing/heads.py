"""What the encoder's outputs are: latents, or the mean and the spread of a Gaussian."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import UnfitGraph
from app.importing.steps import Step, logarithm, part

WORDS = ("latents", "mu", "logvar", "sigma", "variance", "z", "-")
"""What `--encoder-gives` may say of an output; z, a draw, and - are left out."""

NAMES = {
    "mu": {"mu", "mean", "zmu", "zmean", "latentmean", "latentmu", "loc"},
    "logvar": {"logvar", "zlogvar", "logvariance", "zlogvariance", "latentlogvar"},
    "sigma": {"sigma", "std", "stddev", "zsigma", "zstd", "scale"},
    "variance": {"variance", "var", "zvar"},
    "z": {"z", "sample", "zsample", "latents"},
}
"""Names of outputs that say what they are, in lower case, letters alone."""


@dataclass(frozen=True)
class Head:
    """One of the contract's outputs: which of the graph's it comes from, and the steps from there."""

    name: str
    source: str
    steps: tuple[Step, ...] = ()


def parse_words(text: str) -> tuple[str, ...]:
    """The words of `--encoder-gives`. Raises UnfitGraph."""
    words = tuple(word.strip() for word in text.split(","))
    spreads = [word for word in words if word in ("logvar", "sigma", "variance")]
    valid = (
        set(words) <= set(WORDS)
        and words.count("mu") == len(spreads) <= 1
        and words.count("latents") == 1 - len(spreads)
    )
    if not valid:
        raise UnfitGraph(
            "--encoder-gives: expected latents, or mu with logvar, sigma or variance, and z or - for outputs to leave "
            f"out, in the order of the outputs, got {text!r}"
        )
    return words


def recognise(name: str, outputs: Sequence[str]) -> tuple[str, ...]:
    """What the outputs are, by their number and names. Raises UnfitGraph where these do not say."""
    if len(outputs) == 1:
        return ("latents",)
    words = tuple(_word(output) for output in outputs)
    try:
        return parse_words(",".join(words))
    except UnfitGraph as error:
        raise UnfitGraph(
            f"{name} gives {', '.join(outputs)}: say --encoder-gives, such as mu,logvar,z, in this order"
        ) from error


def choose_heads(name: str, outputs: Sequence[str], words: tuple[str, ...], row: tuple[int, ...]) -> list[Head]:
    """
    The contract's outputs. Of one output with two words, each is a half; `row` is the shape of the first output's rows.

    Raises UnfitGraph where words and outputs do not fit.
    """
    if len(outputs) == 1 and len(words) == 2 and "mu" in words:
        if len(row) != 1 or row[0] % 2:
            raise UnfitGraph(f"{name}: expected {outputs[0]} to be flat rows of two halves, got shape {list(row)}")
        places: list[tuple[str, tuple[Step, ...]]] = [(outputs[0], (part(index, 2, row[0]),)) for index in range(2)]
    elif len(words) == len(outputs):
        places = [(output, ()) for output in outputs]
    else:
        raise UnfitGraph(f"{name}: --encoder-gives says {', '.join(words)}, but it gives {', '.join(outputs)}")
    found = {word: place for word, place in zip(words, places, strict=True) if word not in ("z", "-")}
    if "latents" in found:
        return [Head("latents", *found["latents"])]
    mu = Head("mu", *found.pop("mu"))
    ((word, (source, steps)),) = found.items()
    return [mu, Head("logvar", source, (*steps, *_to_logvar(word)))]


def _to_logvar(word: str) -> list[Step]:
    factor = {"logvar": 0, "variance": 1, "sigma": 2}[word]
    return [logarithm(factor, f"as logvar, {'2 ' if factor == 2 else ''}ln {word}")] if factor else []


def _word(output: str) -> str:
    """What an output's name says that it is; - where it says nothing."""
    plain = re.sub("[^a-z]", "", re.sub(r":\d+$", "", output).rsplit("/", 1)[-1].lower())
    return next((word for word, names in NAMES.items() if plain in names), "-")
