"""
How an inference request of the Open Inference Protocol is answered: by the functions of the tasks that /v1 has.

Its Content-Type is not looked at: tritonclient sends none, or its asyncio kind always the same one. A header of its own
says whether bytes follow the JSON.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections.abc import Mapping
from functools import partial
from time import perf_counter

import numpy as np
import numpy.typing as npt
from starlette.types import Receive, Scope, Send

from app.api.bodies import ON_THE_LOOP, read_body
from app.api.disconnects import Watch
from app.api.inference_models import COUNT, InferenceModel, InferenceModels, Stopwatch
from app.api.negotiation import JSON, NPY
from app.api.options import Options, check_options
from app.api.replies import Answer
from app.api.service import Service
from app.api.tensor_replies import HEADER_LENGTH, Headers, TensorReply, answer_encoding
from app.api.tracing import Trace, trace_of
from app.errors import Expired, InvalidInput, InvalidParameter, MalformedBody, WrongShape
from app.formats.images import is_tiny, media_type, read_images
from app.formats.inference import InferenceRequest, read_raw, read_request
from app.formats.tensors import BYTES, Tensor
from app.manifest import ImageInput

Array = npt.NDArray[np.float32]
IGNORED = ("sequence_id", "sequence_start", "sequence_end", "priority")
"""Parameters that change no answer here: no request follows from another, and none overtakes another."""
MAX_PARAMETERS = 32
LONGEST_NAME = 60
"""Letters; an error repeats the names of wrong parameters."""


class Inference:
    """`/v2/models/{name}[/versions/{version}]/infer`, as an ASGI application."""

    def __init__(self, models: InferenceModels, service: Service) -> None:
        self._models = models
        self._service = service
        self._watch = Watch()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a client that has gone gets nothing, and nothing more is computed for it."""
        path = scope["path_params"]
        model = self._models.get(path["name"], path.get("version"))
        try:
            with Stopwatch(model) as stopwatch:
                answer = await self._answer(model, trace_of(scope), receive, stopwatch)
        except CancelledError:
            if not self._watch.has_gone():
                raise
            return
        await send({"type": "http.response.start", "status": 200, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.content})

    async def _answer(self, model: InferenceModel, trace: Trace, receive: Receive, stopwatch: Stopwatch) -> Answer:
        service, headers = self._service, trace.headers
        content = await read_body(receive, headers, service)
        task = self._watch.add(receive)
        try:
            began = perf_counter()
            request = await self._read(model, content, headers)
            wanted = wanted_outputs(model, request)
            options, timeout = read_parameters(model, request)
            rows = await self._rows(model, request)
            stopwatch.was_read()
            trace.decode = perf_counter() - began
            reply = TensorReply(model, service, request, wanted, answer_encoding(headers), rows, stopwatch, trace)
            sent = [] if rows is None else [rows]
            try:
                async with asyncio.timeout(timeout):
                    return await model.spec.endpoint(model.served, options, *sent, reply)
            except TimeoutError as error:
                raise Expired(f"there was no answer within the {timeout:g} s of the parameter timeout") from error
        finally:
            self._watch.remove(task)

    async def _read(self, model: InferenceModel, content: bytes, headers: Headers) -> InferenceRequest:
        """The request in a body: on a thread where its JSON is large."""
        length = _header_length(headers)
        read = partial(_parse, model, content, length)
        small = len(content) <= ON_THE_LOOP[NPY] and (len(content) if length is None else length) <= ON_THE_LOOP[JSON]
        return read() if small else await self._service.off_the_loop(read)

    async def _rows(self, model: InferenceModel, request: InferenceRequest) -> Array | None:
        """The checked rows that a request sends; None where the task takes none."""
        taken = model.spec.takes
        if taken is None:
            return None
        tensor = request.inputs[taken]
        self._service.bound_rows(tensor.shape[0], model.served.manifest)
        if isinstance(tensor.values, list) and model.takes_images:
            images = tensor.values
            read = partial(_images, model, tensor, images, self._service.settings.max_pixels)
            on_the_loop = len(images) == 1 and is_tiny(images[0], media_type(images[0]))
        else:
            read = partial(_numbers, model, tensor)
            on_the_loop = isinstance(tensor.values, list) or tensor.values.nbytes <= ON_THE_LOOP[NPY]
        return read() if on_the_loop else await self._service.off_the_loop(read)


def wanted_outputs(model: InferenceModel, request: InferenceRequest) -> Mapping[str, bool]:
    """The outputs that a request wants, in its order, and whether as bytes. Raises InvalidInput."""
    if request.outputs is None:
        return dict.fromkeys(model.output_names, request.binary)
    for name in request.outputs:
        if name not in model.output_names:
            raise InvalidInput(f"outputs: expected {' or '.join(model.output_names)}, got {name[:100]!r}")
    return request.outputs


def read_parameters(model: InferenceModel, request: InferenceRequest) -> tuple[Options, float | None]:
    """
    The options of the task, and the seconds that the request may take; inputs that are no rows count as options.

    Raises RequestValidationError, InvalidParameter or InvalidInput.
    """
    taken = model.spec.takes or COUNT.name
    if unknown := request.inputs.keys() - {taken}:
        raise InvalidInput(f"inputs: expected {taken!r}, got {', '.join(sorted(unknown))[:100]!r}")
    if model.spec.takes and taken not in request.inputs:
        raise InvalidInput(f"inputs: expected {taken!r}, got none")
    if len(request.parameters) > MAX_PARAMETERS or any(len(name) > LONGEST_NAME for name in request.parameters):
        raise InvalidParameter(f"expected at most {MAX_PARAMETERS} parameters of at most {LONGEST_NAME} letters")
    parameters = {name: value for name, value in request.parameters.items() if name not in IGNORED}
    timeout = parameters.pop("timeout", 0)
    if type(timeout) is not int or timeout < 0:
        raise InvalidParameter(f"timeout: expected a whole number of microseconds from 0, got {timeout!r:.60}")
    if not model.spec.takes and taken in request.inputs:
        if taken in parameters:
            raise InvalidInput(f"expected {taken!r} as an input or as a parameter, got both")
        parameters[taken] = _count(request.inputs[taken])
    options = check_options(model.spec.options, parameters, "request") if parameters else model.defaults
    return options, timeout / 1e6 or None


def _count(tensor: Tensor) -> float:
    """The one number of an input. Raises WrongShape, or NotNumbers."""
    if tensor.shape != COUNT.shape:
        raise WrongShape(f"{tensor.name}: expected shape {list(COUNT.shape)}, got {list(tensor.shape)}")
    return float(tensor.numbers()[0])


def _header_length(headers: Headers) -> int | None:
    """How much of the body is JSON; None: all of it. Raises MalformedBody."""
    length = headers.get(HEADER_LENGTH)
    if length is None:
        return None
    if not length.isdigit() or len(length) > 18:
        raise MalformedBody(f"Inference-Header-Content-Length: expected a number of bytes, got {length[:60]!r}")
    return int(length)


def _parse(model: InferenceModel, content: bytes, header_length: int | None) -> InferenceRequest:
    if header_length == 0:
        tensor = model.inputs[0]
        return read_raw(content, tensor.name, tensor.datatype, tensor.shape[1:])
    return read_request(content, header_length)


def _numbers(model: InferenceModel, tensor: Tensor) -> Array:
    autoencoder = model.served.model
    check = autoencoder.check_samples if model.spec.takes == "samples" else autoencoder.check_latents
    return check(tensor.numbers())


def _images(model: InferenceModel, tensor: Tensor, images: list[bytes], max_pixels: int) -> Array:
    """Samples from encoded images, which models of images take as BYTES."""
    expected = model.served.manifest.input
    assert isinstance(expected, ImageInput)
    if tensor.shape not in ((len(images),), (len(images), 1)):
        raise WrongShape(f"{tensor.name}: expected {BYTES} of shape [images], got {list(tensor.shape)}")
    return read_images(images, expected, max_pixels)
