"""A request of /v2, read and checked: from here on, HTTP and gRPC are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from app.api.v2.models import Entry
from app.api.v2.parameters import find_input, read_parameters
from app.arrays import Array, Rows
from app.errors import MAX_REPEATED_CHARACTERS, InvalidInput
from app.formats.levels import numbers_from_levels
from app.formats.open_inference import InferenceRequest
from app.formats.shared_memory import Form
from app.formats.tensors import LEVELS, Tensor
from app.options import Options
from app.tasks import Result

Content = TypeVar("Content")
Outputs = list[tuple[str, Rows, Form]]
"""Name, array and form of each output."""


class Query(NamedTuple):
    """The parts of an inference request."""

    id: str | None
    """The request's id in the protocol, which the answer repeats."""
    outputs: Mapping[str, Form]
    """The wanted outputs in order, each with its form."""
    options: Options
    timeout: float | None
    """The time limit in seconds."""
    arrays: tuple[Array, ...] = ()
    """The checked input, if the task takes one and it is not `images`."""
    images: Tensor | None = None
    """The input as encoded images."""


def read_query(entry: Entry, parse: Callable[[Content], InferenceRequest], content: Content) -> Query:
    """Return the checked parts of a request. Raises what `parse` and the model's checks raise."""
    request = parse(content)
    name, options, timeout = entry.task.takes, entry.defaults, None
    if request.parameters or name is None:
        options, timeout = read_parameters(entry, request)
    outputs = wanted_outputs(entry, request, options)
    if name is None:
        return Query(request.id, outputs, options, timeout)
    tensor = request.inputs[name] if name in request.inputs and len(request.inputs) == 1 else find_input(entry, request)
    if tensor.shape[0] > entry.served.max_rows:
        entry.served.check_row_count(tensor.shape[0])
    if isinstance(tensor.values, list) and entry.takes_images:
        return Query(request.id, outputs, options, timeout, images=tensor)
    unit = entry.served.level_unit if name == "samples" and tensor.datatype == LEVELS else None
    rows = tensor.numbers() if unit is None else numbers_from_levels(tensor.numbers(), unit, name)
    return Query(request.id, outputs, options, timeout, (entry.served.checks[entry.check or name](rows),))


def wanted_outputs(entry: Entry, request: InferenceRequest, options: Options) -> Mapping[str, Form]:
    """
    Return the wanted outputs, in the request's order, each with its form: by default all that the result has.

    Raises InvalidInput if the result lacks one.
    """
    lacks = options.lacks
    if request.outputs is None:
        return dict.fromkeys([name for name, array in entry.arrays.items() if array not in lacks], request.binary)
    for name in request.outputs:
        if name not in entry.arrays:
            raise InvalidInput(f"outputs: expected {' or '.join(entry.arrays)}, got {name[:MAX_REPEATED_CHARACTERS]!r}")
        if needed := lacks.get(entry.arrays[name]):
            raise InvalidInput(f"outputs: {name!r} needs the parameter {needed}")
    return request.outputs


def find_outputs(entry: Entry, query: Query, result: Result, inputs: tuple[Array, ...]) -> Outputs:
    """Return the wanted outputs. Those that repeat the input are the request's `inputs` if the result lacks them."""
    arrays: dict[str, Rows] = {entry.task.gives: result.array, **result.extras}
    for name in entry.task.echoes:
        arrays.setdefault(name, *inputs)
    return [(name, arrays[entry.arrays[name]], form) for name, form in query.outputs.items()]
