"""Problems of a configuration in the user's words: each with its option, and with the name that was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

SIMILARITY = 0.6
"""Similarity of two names, from 0 to 1, from which one is proposed for the other."""
FAMILIES = ("autoencoder", "denoising-autoencoder", "variational-autoencoder")
"""Parts of a problem's location that are not the name of an option."""
AUTO = "literal['auto']"
"""Pydantic's name, in a location, of the type that only allows `auto`."""
NAME_RULE = (
    "a model's name has 1 to 64 characters, each a lower-case letter, a digit or one of - _ . and begins with a letter "
    "or a digit"
)


def known_options(root: type[BaseModel], document: Mapping[str, Any]) -> dict[str, FieldInfo]:
    """Return every option by its path, such as `optimisation.epochs`; of the objective, those of the family."""
    options: dict[str, FieldInfo] = {}
    for name, field in root.model_fields.items():
        section = _section(field, document.get(name))
        if section is None:
            options[name] = field
        else:
            options |= {f"{name}.{option}": inner for option, inner in section.model_fields.items()}
    return options


def _section(field: FieldInfo, values: Any) -> type[BaseModel] | None:
    """Return the class of a section, of an objective the class of its family; None for a plain option."""
    classes = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
    for section in classes:
        if issubclass(section, BaseModel):
            family = section.model_fields.get("family")
            if family is None or (isinstance(values, Mapping) and values.get("family") in get_args(family.annotation)):
                return section
    return None


def did_you_mean(path: str, options: Iterable[str]) -> str:
    """Return the options that a misspelled path may stand for, for the end of a message; nothing without any."""
    options = list(options)
    name = path.rpartition(".")[2]
    by_name: dict[str, list[str]] = {}
    for option in options:
        by_name.setdefault(option.rpartition(".")[2], []).append(option)
    proposals = by_name.get(name, [])
    if not proposals:
        proposals = difflib.get_close_matches(path, options, n=1, cutoff=SIMILARITY)
        alike = difflib.get_close_matches(name, by_name, n=1, cutoff=SIMILARITY)
        proposals += [option for close in alike for option in by_name[close]]
    proposals = list(dict.fromkeys(proposals))[:3]
    return f"; did you mean {' or '.join(proposals)}?" if proposals else ""


def describe_problems(
    error: ValidationError, options: Iterable[str] = (), place: Callable[[str], str] = "{}: ".format
) -> str:
    """
    Return the problems of a validation in one line, each after the place of its option.

    `options` are those that an unknown one may stand for.
    """
    problems = _without_alternatives([dict(problem) for problem in error.errors()])
    return "; ".join(_describe(problem, list(options), place) for problem in problems)


def _without_alternatives(problems: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the problems; those of an option that may also be `auto` once, and not for each of its types."""
    open_options = {problem["loc"][:-1] for problem in problems if problem["loc"][-1:] == (AUTO,)}
    for problem in problems:
        location = problem["loc"]
        option = next((option for option in open_options if location[: len(option)] == option), None)
        if option is None:
            yield problem
        elif location[-1] != AUTO:
            rest = location[len(option) + 1 :]
            yield {**problem, "loc": (*option, *rest), "msg": f"{problem['msg']}, or auto"}


def _describe(problem: dict[str, Any], options: list[str], place: Callable[[str], str]) -> str:
    path = ".".join(str(part) for part in problem["loc"] if part not in FAMILIES) or "the file"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = f"there is no such option{did_you_mean(path, options)}"
    elif problem["type"] == "string_pattern_mismatch" and path == "name":
        message = NAME_RULE + _similar_name(str(problem["input"]))
    return place(path) + message


def _similar_name(name: str) -> str:
    """Return a proposal that follows the rule, for the end of a message; nothing if no character can stay."""
    proposal = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64]
    return f"; did you mean {proposal}?" if proposal else ""
