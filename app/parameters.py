"""The parameters of a request as the options of a task, and the errors of those that are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from app.errors import MAX_REPEATED_CHARACTERS, InvalidParameter

MAX_LISTED_PROBLEMS = 10
"""Wrong parameters that an error names."""
AnyOptions = TypeVar("AnyOptions", bound=BaseModel)


def parse_options(kind: type[AnyOptions], values: Mapping[str, object], place: str) -> AnyOptions:
    """Return the options in a part of a request, such as its query. Raises InvalidParameter, which names the part."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        known = f"; the options are {', '.join(kind.model_fields) or 'none'}"
        problems = []
        for problem in error.errors():
            described: dict[str, Any] = {**problem, "loc": (place, *problem["loc"])}
            if problem["type"] == "extra_forbidden":
                described["msg"], known = f"there is no such option here{known}", ""  # the list stands there once
            problems.append(described)
        raise invalid_parameter(problems) from error


def invalid_parameter(problems: Iterable[Mapping[str, Any]]) -> InvalidParameter:
    """Return the error for problems as pydantic lists them, whose `loc` begins with the part of the request."""
    parameters, sentences = [], []
    for problem in islice(problems, MAX_LISTED_PROBLEMS):
        option = problem.get("ctx", {}).get("option")  # set by `meaningless` and `exclusive`, about all options
        place, name = str(problem["loc"][0]), str(option or problem["loc"][-1])[:MAX_REPEATED_CHARACTERS]
        parameters.append({"name": name, "in": place, "problem": str(problem["msg"])})
        got = "" if option else f", got {problem.get('input')!r:.60}"
        sentences.append(f"{place} parameter {name!r}: {problem['msg']}{got}")
    return InvalidParameter("; ".join(sentences), parameters=parameters)


def meaningless(option: str, without: str) -> PydanticCustomError:
    """Return the error of an option that has no meaning without another."""
    return PydanticCustomError(
        "meaningless", "has no meaning without {without}", {"option": option, "without": without}
    )


def exclusive(option: str, other: str) -> PydanticCustomError:
    """Return the error of an option that is given together with another in its place."""
    return PydanticCustomError(
        "exclusive", "expected {other} or {option}, got both", {"option": option, "other": other}
    )
