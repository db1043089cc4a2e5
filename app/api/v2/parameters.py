"""The parameters and the input of an inference request, as clients of other servers name them."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np

from app.api.v2.models import COUNT, Entry
from app.arrays import ARRAYS
from app.errors import MAX_REPEATED_CHARACTERS, InvalidInput, InvalidParameter, WrongShape
from app.formats.open_inference import InferenceRequest
from app.formats.tensors import Tensor
from app.inputs import VectorInput
from app.options import Options
from app.parameters import parse_options
from app.tasks import TASKS

TIMEOUT = "timeout"
OPTION_NAMES = frozenset(name for task in TASKS.values() for name in task.options.model_fields) | {TIMEOUT}
"""Parameters that have a meaning here. A task refuses those that are not its own."""
RENDERING = frozenset({"columns", "scale", "rows", "attribution", "heat"})
"""Options of the form of an answer of /v1. Answers of /v2 are tensors, which have no other form."""
MAX_PARAMETERS = 32
MAX_PARAMETER_NAME_LENGTH = 60
"""Characters; an error repeats the names of wrong parameters."""
LEAST_SIMILARITY = 0.8
"""Similarity to an option from which an unknown parameter counts as a misspelt one, from 0 to 1."""


def read_parameters(entry: Entry, request: InferenceRequest) -> tuple[Options, float | None]:
    """
    Return the options of the task, and the request's time limit in seconds. The input `count` is an option, too.

    The protocol leaves parameters to servers, and clients send those of other servers: such parameters are ignored. An
    option of another task, or a misspelt one, is not. Raises InvalidParameter or InvalidInput.
    """
    parameters = _known(request.parameters)
    timeout = parameters.pop(TIMEOUT, 0)
    if type(timeout) is not int or timeout < 0:
        raise InvalidParameter(f"timeout: expected a whole number of microseconds from 0, got {timeout!r:.60}")
    if not entry.task.takes and request.inputs:
        count = find_input(entry, request)
        if COUNT.name in parameters:
            raise InvalidInput(f"expected {COUNT.name!r} as an input or as a parameter, got both")
        parameters[COUNT.name] = _count(count)
    options = parse_options(entry.task.options, parameters, "request") if parameters else entry.defaults
    return options, timeout / 1e6 or None


def find_input(entry: Entry, request: InferenceRequest) -> Tensor:
    """
    Return the one input of a task. Raises InvalidInput.

    Its name may differ in case. A sole input may have any name that is not one of ours, such as `input-0`. The features
    of a table may come as an input each.
    """
    name, inputs = entry.task.takes or COUNT.name, request.inputs
    if name in inputs and len(inputs) == 1:
        return inputs[name]
    if len(inputs) == 1:
        (tensor,) = inputs.values()
        if tensor.name.lower() == name or tensor.name.lower() not in ARRAYS.keys() | {COUNT.name}:
            return tensor._replace(name=name)
    expected = entry.served.manifest.input
    if name == "samples" and isinstance(expected, VectorInput) and inputs.keys() == {*expected.feature_names}:
        return _join_columns([inputs[feature] for feature in expected.feature_names])
    unknown = ", ".join(sorted(inputs.keys() - {name}))[:MAX_REPEATED_CHARACTERS]
    raise InvalidInput(f"inputs: expected {name!r}, got {repr(unknown) if unknown else 'none'}")


def _known(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters that have a meaning here. Raises InvalidParameter for others that are meant as options."""
    if len(parameters) > MAX_PARAMETERS or any(len(name) > MAX_PARAMETER_NAME_LENGTH for name in parameters):
        raise InvalidParameter(
            f"expected at most {MAX_PARAMETERS} parameters of at most {MAX_PARAMETER_NAME_LENGTH} letters"
        )
    for name in sorted(parameters.keys() - OPTION_NAMES):
        if close := get_close_matches(name.lower(), OPTION_NAMES, 1, LEAST_SIMILARITY):
            raise InvalidParameter(f"request parameter {name!r}: there is no such option; did you mean {close[0]!r}?")
    for name in sorted(parameters.keys() & RENDERING):
        raise InvalidParameter(
            f"request parameter {name!r}: it has no meaning here, since answers of /v2 are tensors; "
            f"POST /v1/models/MODEL/TASK?{name}= has it"
        )
    return {name: value for name, value in parameters.items() if name in OPTION_NAMES}


def _join_columns(columns: list[Tensor]) -> Tensor:
    """Return the rows of a table whose columns are inputs of shape (rows,) or (rows, 1)."""
    rows = columns[0].shape[0]
    for column in columns:
        if column.shape not in ((rows,), (rows, 1)):
            raise WrongShape(
                f"{column.name}: expected shape [{rows}, 1] like the first column, got {list(column.shape)}"
            )
    samples = np.stack([column.numbers().reshape(rows) for column in columns], axis=1)
    return Tensor("samples", "FP32", samples.shape, samples)


def _count(tensor: Tensor) -> float:
    """Return the one number of an input. Raises WrongShape or NotNumbers."""
    if tensor.shape != COUNT.shape:
        raise WrongShape(f"{tensor.name}: expected shape {list(COUNT.shape)}, got {list(tensor.shape)}")
    return float(tensor.numbers()[0])
