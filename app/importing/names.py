"""Names of outputs: what the frameworks and their users call means, spreads, draws, samples and logits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.errors import UnfitGraph

SPREAD_WORDS = ("logvar", "log_std", "sigma", "variance")
"""Words for the spread of a Gaussian; if an encoder gives several, the first of these is used."""
ENCODER_WORDS = ("latents", "mu", *SPREAD_WORDS, "z", "-")
"""Words for an output in `--encoder-gives`. Outputs called z, a random draw, or - are left out."""
DECODER_WORDS = ("samples", "logits", "-")
"""Words for an output in `--decoder-gives`; a mean is samples, and a spread is left out."""
IGNORED_WORDS = ("z", "-")
LEFT_OUT = {"", "-", "_", "ignore", "ignored", "skip", "none", "no", "other", "unused"}

ENCODER_NAMES = {
    "mu": "mu mus mean means loc average m",
    "logvar": "logvar logvars logvariance logvariances logv lnvar logcov logcovar logcovariance logsigma2 logsigmasq "
    "logsigmasquare logsigmasquared logstd2 logvr",
    "log_std": "logstd logstds logstddev logstdev logsigma logsigmas logscale logsd lnsigma lnstd logstandarddeviation",
    "sigma": "sigma sigmas std stds stddev stdev sd scale standarddeviation",
    "variance": "variance variances var vars sigma2 sigmasq sigmasquare sigmasquared covariance covar cov v",
    "z": "z sample samples sampling sampled draw draws reparam reparameterize reparameterized reparameterization "
    "reparametrize reparametrized reparametrization latents latent code codes encoding encoded encodings bottleneck "
    "representation",
    "embedding": "embedding embeddings",
    "halves": "moments parameters params",
}
SAMPLE_NAME = re.compile(
    "samples?|[xy]|[xy]_?hat|xprime|x?recons?|x?rec|recon?x|reconstructions?|x?reconstructedx?|outputs?|out|"
    "decod(ed|ing|eroutput)|generated|prob(s|ability|abilities)?|(px)?rate|images?|img|mu|means?|loc"
)
PARTS_OF_LATENT_NAMES = {"z", "q", "qz", "latent", "latents", "enc", "encoder", "posterior", "dist", "distribution"}
PARTS_OF_SAMPLE_NAMES = {"x", "px", "p", "dec", "decoder", "recon", "reconstruction", "rec", "obs", "data", "y"}
PARTS_OF_ANY_NAME = {"out", "output", "outputs", "head", "layer", "vector", "space"}
ONLY_AFTER_QZ = {"m", "v"}
"""Names with a meaning only in `qz_m` and `qz_v`."""

_MEANINGS = {name: meaning for meaning, names in ENCODER_NAMES.items() for name in names.split()}


def encoder_meaning(name: str) -> str | None:
    """Return the meaning of an encoder's output by its name: a key of ENCODER_NAMES, or None if it is unknown."""
    parts = _parts(name)
    if "2" in parts:  # the second of its name, or the square
        return None
    rest = [part for part in parts if part not in PARTS_OF_LATENT_NAMES | PARTS_OF_ANY_NAME]
    if not rest:
        return "z" if {"z", "latent", "latents"} & {*parts} else None
    joined = "".join(rest)
    if joined in ONLY_AFTER_QZ and "qz" not in parts:
        return None
    return _MEANINGS.get(joined) or _MEANINGS.get(_without_ends(joined))


def decoder_meaning(name: str) -> str | None:
    """Return samples, logits or - for a decoder's output, or None if its name has no known meaning."""
    parts = _parts(name)
    if any(part.endswith(("logit", "logits")) for part in parts):
        return "logits"
    rest = [part for part in parts if part not in PARTS_OF_SAMPLE_NAMES | PARTS_OF_ANY_NAME] or parts
    meaning = _MEANINGS.get("".join(rest)) if len(rest) < len(parts) or rest[0] not in ONLY_AFTER_QZ else None
    if meaning in SPREAD_WORDS:
        return "-"
    return "samples" if meaning == "mu" or any(SAMPLE_NAME.fullmatch("".join(each)) for each in (parts, rest)) else None


def parse_encoder_words(text: str) -> tuple[str, ...]:
    """Return the words of `--encoder-gives`. Raises UnfitGraph."""
    meanings = ["latents" if word in ("latents", "latent") else _word(word, encoder_meaning) for word in _split(text)]
    words = settle_encoder_words(meanings) if None not in meanings else None
    if words is None:
        raise UnfitGraph(
            "--encoder-gives: expected latents, or mu with logvar, log_std, sigma or variance, and z or ignore for "
            f"outputs to leave out, in the order of the outputs, got {text!r}"
        )
    return words


def parse_decoder_words(text: str) -> tuple[str, ...]:
    """Return the words of `--decoder-gives`. Raises UnfitGraph."""
    words = [_word(word, decoder_meaning) for word in _split(text)]
    if None in words or sum(word in ("samples", "logits") for word in words) != 1:
        raise UnfitGraph(
            "--decoder-gives: expected one of samples, mean or logits, and logvar, sigma or ignore for outputs to "
            f"leave out, in the order of the outputs, got {text!r}"
        )
    return tuple(word or "-" for word in words)


def recognise_encoder(file_name: str, outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the words for an encoder's outputs by their number and names. Raises UnfitGraph if they are unknown."""
    if len(outputs) == 1:
        return ("mu", "logvar") if encoder_meaning(outputs[0]) == "halves" else ("latents",)
    words = settle_encoder_words([encoder_meaning(output) for output in outputs])
    if words is None:
        example = ",".join(["mu", "logvar", "z", *["ignore"] * len(outputs)][: len(outputs)])
        raise UnfitGraph(
            f"{file_name} gives {', '.join(outputs)}: pass --encoder-gives, such as {example}, in this order; "
            "log_std, sigma and variance are spreads, too, and ignore leaves an output out"
        )
    return words


def recognise_decoder(file_name: str, outputs: Sequence[str]) -> tuple[str, ...]:
    """Return the words for a decoder's outputs by their number and names. Raises UnfitGraph if they are unknown."""
    if len(outputs) == 1:
        return ("samples",)
    words = [decoder_meaning(output) or "-" for output in outputs]
    for word in ("samples", "logits"):
        if words.count(word) == 1:
            return tuple(word if each == word else "-" for each in words)
    example = ",".join(["samples", *["ignore"] * len(outputs)][: len(outputs)])
    raise UnfitGraph(
        f"{file_name} gives {', '.join(outputs)}: pass --decoder-gives, such as {example}, in this order; "
        "logits are taken through a sigmoid, and ignore leaves an output out"
    )


def settle_encoder_words(meanings: Sequence[str | None]) -> tuple[str, ...] | None:
    """Return one word per output: latents, or mu and one spread, and - or z for the others; None if that is unclear."""
    words = [meaning or "-" for meaning in meanings]
    spreads = [word for word in SPREAD_WORDS if word in words]
    if "mu" not in words and spreads:
        words = ["mu" if word == "embedding" else word for word in words]
    if "mu" in words:
        chosen = {"mu", *spreads[:1]}
        once = len(chosen) == 2 and all(words.count(word) == 1 for word in chosen)
        valid = once and "latents" not in words
        return tuple(word if word in chosen or word == "z" else "-" for word in words) if valid else None
    names = [word for word in ("latents", "z", "embedding") if word in words]
    if spreads or not names or words.count(names[0]) != 1:
        return None
    return tuple("latents" if word == names[0] else "-" for word in words)


def _parts(name: str) -> list[str]:
    """Return the parts of a name in lower case, without the node's path and without numbers that count outputs."""
    name = re.sub(r":\d+$", "", name).rsplit("/", 1)[-1]
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return [part for part in re.split("[^a-z0-9]+", name) if part and (part == "2" or not part.isdigit())]


def _without_ends(joined: str) -> str:
    """Return a name that was written in one word without the latents' name before or behind it."""
    for part in ("latent", "encoder", "enc", "qz", "z"):
        joined = joined.removeprefix(part) if joined.removeprefix(part) in _MEANINGS else joined
        joined = joined.removesuffix(part) if joined.removesuffix(part) in _MEANINGS else joined
    return joined


def _split(text: str) -> list[str]:
    return [word.strip().lower() for word in text.split(",")]


def _word(word: str, meaning_of: object) -> str | None:
    assert callable(meaning_of)
    if word in LEFT_OUT:
        return "-"
    meaning: str | None = meaning_of(word)
    return None if meaning == "halves" else meaning
