"""
Messages of inference as requests and answers of /v2.

A tensor comes as raw bytes, or as typed numbers, which become bytes first: so both are read and checked as the bytes of
HTTP are. Answers have the form of the request: typed if an input is typed, and raw otherwise, which is the only form
that tritonclient reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from app.api.state import State
from app.api.v2.grpc import open_inference_pb2 as pb
from app.api.v2.models import Entry
from app.api.v2.query import Outputs, Query, find_outputs
from app.arrays import Array
from app.engine.offload import LoopLimit
from app.errors import MAX_REPEATED_CHARACTERS, InvalidInput, MalformedBody, NotNumbers
from app.formats.open_inference import MAX_TENSORS, InferenceRequest, read_described
from app.formats.shared_memory import REGION, ReadShared, Span, WriteShared, write_span
from app.formats.tensors import BYTES, DTYPES, output_bytes, output_datatype
from app.tasks import Result

CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    BYTES: "bytes_contents",
}
"""The member of typed contents for each datatype. FP16 and BF16 have none."""
LENGTH_BYTES = 4
"""Bytes of the length before each element of BYTES, the lowest first."""


class Contents:
    """The bytes of the inputs of a message, each as its own object: none is copied."""

    def __init__(self, contents: Iterator[bytes]) -> None:
        self._contents = contents

    def take(self, _size: int, _name: str) -> bytes:
        """Return the bytes of the next input."""
        return next(self._contents)


def parse_message(kind: Any, content: bytes) -> Any:
    """Return the message of a class that bytes hold. Raises MalformedBody."""
    try:
        return kind.FromString(content)
    except DecodeError as error:
        raise MalformedBody(f"expected a {kind.DESCRIPTOR.name}, got {len(content)} bytes that hold none") from error


def read_message(message: pb.ModelInferRequest, read_shared: ReadShared | None = None) -> InferenceRequest:
    """Return the request of a message. Raises what `read_request` raises for a request of HTTP."""
    items = message.inputs
    if len(items) > MAX_TENSORS:
        raise MalformedBody(f"inputs: expected at most {MAX_TENSORS}, got {len(items)}")
    own = [item for item in items if not (item.parameters and REGION in item.parameters)]
    contents = list(message.raw_input_contents)
    typed = len(own) > 0 and not contents
    if typed:
        contents = [typed_bytes(item) for item in own]
    elif len(contents) != len(own):
        raise MalformedBody(f"raw_input_contents: expected one for each of {len(own)} inputs, got {len(contents)}")
    sizes = iter(map(len, contents))
    document = {
        "id": message.id or None,
        "parameters": read_parameters(message.parameters),
        "inputs": [_describe(item, sizes, typed) for item in items],
        "outputs": [
            {"name": output.name, "parameters": read_parameters(output.parameters)} for output in message.outputs
        ],
    }
    request = read_described(document, Contents(iter(contents)), read_shared, binary=not typed)
    if request.outputs is None:
        return request
    # They come all raw or all typed, except those in shared memory: a client finds them by their places.
    forms = {name: form if isinstance(form, Span) else request.binary for name, form in request.outputs.items()}
    return request._replace(outputs=forms)


def read_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of parameters, of which some are unset."""
    chosen = {name: parameter.WhichOneof("parameter_choice") for name, parameter in parameters.items()}
    return {name: getattr(parameters[name], choice) for name, choice in chosen.items() if choice}


def typed_bytes(item: Any) -> bytes:
    """Return the typed contents of an input as bytes. Raises InvalidInput or NotNumbers."""
    name, datatype = item.name[:MAX_REPEATED_CHARACTERS], item.datatype[:20]
    if datatype not in CONTENTS:
        raise InvalidInput(f"{name}: expected a datatype of {', '.join(CONTENTS)} without raw bytes, got {datatype!r}")
    values = getattr(item.contents, CONTENTS[datatype])
    if datatype == BYTES:
        return b"".join([len(value).to_bytes(LENGTH_BYTES, "little") + value for value in values])
    try:
        return np.fromiter(values, DTYPES[datatype], len(values)).tobytes()
    except OverflowError as error:
        raise NotNumbers(f"{name}: expected numbers that {datatype} can hold, got others") from error


def _describe(item: Any, sizes: Iterator[int], typed: bool) -> dict[str, Any]:
    """Return an input as /v2 describes it in JSON. Raises MalformedBody if it has two contents."""
    parameters = read_parameters(item.parameters)
    shared = REGION in parameters
    if (shared or not typed) and item.HasField("contents"):
        raise MalformedBody(f"{item.name[:MAX_REPEATED_CHARACTERS]}: expected raw or typed contents, got both")
    if not shared:
        parameters["binary_data_size"] = next(sizes)
    return {"name": item.name, "datatype": item.datatype, "shape": list(item.shape), "parameters": parameters}


async def render_message(result: Result, entry: Entry, query: Query, inputs: tuple[Array, ...], state: State) -> bytes:
    """Return the message of an answer, with the wanted outputs in their order."""
    outputs = find_outputs(entry, query, result, inputs)
    write = partial(write_message, entry, query.id, result.seed, outputs, state.regions.write)
    limit = LoopLimit.WRITE_BINARY_NUMBERS if all(query.outputs.values()) else LoopLimit.WRITE_JSON_NUMBERS
    return await state.offload.run(sum([array.size for _, array, _ in outputs]), limit, write)


def write_message(
    entry: Entry, id_: str | None, seed: int | None, outputs: Outputs, write_shared: WriteShared
) -> bytes:
    """Return the bytes of an answer, with the name, the numbers and the form of each output."""
    message = pb.ModelInferResponse(model_name=entry.name, model_version=entry.version, id=id_ or "")
    if seed is not None:
        message.parameters["seed"].int64_param = seed
    raws = any(form is True for _, _, form in outputs)
    for name, values, form in outputs:
        output = message.outputs.add(name=name, datatype=output_datatype(values), shape=values.shape)
        if isinstance(form, Span):
            for parameter, value in write_span(values, form, write_shared).items():
                choice = "string_param" if isinstance(value, str) else "int64_param"
                setattr(output.parameters[parameter], choice, value)
            if raws:  # keeps the places of the others
                message.raw_output_contents.append(b"")
        elif form:
            message.raw_output_contents.append(output_bytes(values))
        else:
            getattr(output.contents, CONTENTS[output.datatype]).extend(values.reshape(-1).tolist())
    content: bytes = message.SerializeToString()
    return content
