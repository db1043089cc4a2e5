"""
The errors of the OpenAPI document: the codes of each route, and an example of each code.

The document has each example once, under `components`, in the shape of `app.server.problems`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.errors import (
    Forbidden,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    MisdirectedRequest,
    ServiceError,
    TooManyRequests,
    Unauthorized,
)
from app.server import refusals
from app.server.problems import JSON, PROBLEM_JSON, problem_document

STATUSES: dict[int | str, str] = {
    "default": "The request was refused before it reached an operation.",
    400: "The body is not what its content type says.",
    401: "The key is missing or unknown.",
    403: "The server does not do this, or not for this key.",
    404: "There is no such model or version, or the model does not support the task.",
    405: "The address exists, but not with this method.",
    406: "The server has none of the accepted formats.",
    408: "The request did not arrive in time.",
    409: "The repository holds a version that cannot be loaded.",
    413: "The body, the image or the number of rows is too large.",
    414: "The path and query are too long.",
    415: "The content type or the encoding is not supported.",
    421: "The server does not answer for this host.",
    422: "The model cannot use the input, or an option is wrong.",
    429: "Too many requests; Retry-After says when to try again.",
    431: "The headers are too long or too many.",
    500: "A bug.",
    501: "The transfer coding is not chunked.",
    503: "Too many rows are waiting, or the server ends; Retry-After says when to try again.",
    504: "No thread was free in time, or the model ran for too long.",
    505: "The version of HTTP is neither 1.1 nor 1.0.",
}

ANYWHERE = (
    MalformedRequest,
    Unauthorized,
    Forbidden,
    MethodNotAllowed,
    MisdirectedRequest,
    TooManyRequests,
    refusals.RequestTimeout,
    refusals.TargetTooLong,
    refusals.HeadTooLarge,
    refusals.UnsupportedTransferCoding,
    refusals.UnsupportedVersion,
)
"""Errors that any address can answer."""
GUARD_ERRORS = (Unauthorized, Forbidden, TooManyRequests)
"""Those of ANYWHERE that depend on the settings."""
REFUSAL = "Refusal"
"""The name of the response that stands for all errors of ANYWHERE."""
RESPONSE_REF = "#/components/responses/{}"

EXAMPLE_REQUEST_ID = b"8c1f0e5a92b4-1d"
DETAILS = {
    "malformed-request": "expected an HTTP request, but: Invalid method encountered",
    "malformed-body": "expected a .npy file, but the body does not begin like one",
    "refused": "clients may not load or unload models here: HOURGLASS_CONTROL is not set",
    "unauthorized": "expected a key in the header Authorization, as `Bearer KEY`, or in X-API-Key, got none",
    "forbidden": "expected a key with the scope control, got one with inference",
    "misdirected-request": "expected a host of HOURGLASS_ALLOWED_HOSTS in the header Host, got 'evil.example.com'",
    "too-many-requests": "expected at most 100 requests per second, got more; send the request again in 1 s",
    "not-found": "GET /v1/model: nothing is here; GET /openapi.json lists what is",
    "unknown-model": "there is no model 'mnist'; there are mnist-ae, mnist-vae",
    "unknown-version": "the model 'mnist-ae' has no version 7; it has 1, 2",
    "unsupported-task": "the model 'mnist-ae' cannot generate; it can encode, decode, reconstruct, interpolate; "
    "models that can: mnist-vae",
    "method-not-allowed": "GET /v1/models/mnist-ae/encode: expected POST",
    "not-acceptable": "expected an Accept header that allows application/json or application/x-npy, got 'image/png'",
    "load-failed": "mnist-ae version 2: model.json is missing",
    "body-too-large": "expected a body of at most 16777216 bytes, got 20000000",
    "decompressed-too-large": "expected a body of at most 67108864 bytes when decompressed, got more",
    "too-many-rows": "expected at most 4096 rows at once, got 5000",
    "too-many-pixels": "expected at most 12582912 pixels in a request, got 8000x6000",
    "too-many-parts": "expected at most 1024 parts in a form, got more",
    "unsupported-media-type": "expected a body of application/json or application/x-npy, got 'text/csv'",
    "unsupported-encoding": "expected a single Content-Encoding of gzip or deflate, got 'br'",
    "invalid-input": "expected the one member 'samples', got 'data'; options go into the query",
    "not-numbers": "samples: expected numbers, got null at [0, 2]",
    "ragged-rows": "samples: expected 784 numbers or lists at [1] as at [0], got 783",
    "empty-batch": "samples: expected at least one row, got none",
    "wrong-shape": "latents: expected shape [rows, 2], got [1, 3]",
    "not-finite": "samples: expected finite numbers, got NaN or Infinity, which JSON does not have",
    "out-of-range": "samples: expected numbers from 0 to 1, got 0.0 to 255.0",
    "invalid-image": "expected a PNG image, but it cannot be decoded",
    "invalid-shared-memory": "region 'samples': no region of this name is registered",
    "invalid-parameter": "query parameter 'count': Input should be greater than or equal to 1, got '0'",
    "overloaded": "16384 rows are waiting and at most 16384 may; send the request again later",
    "shutting-down": "the server ends; send the request again",
    "expired": "no thread was free to run the model in time; send the request again later",
    "run-too-long": "the model ran for more than 60 s, and was stopped",
    "internal-error": "the server failed; its log says why",
    refusals.RequestTimeout.code: "expected a whole body within 60 s",
    refusals.TargetTooLong.code: "expected a request target and headers of at most 65536 bytes, got more",
    refusals.HeadTooLarge.code: "expected headers of at most 65536 bytes, got more",
    refusals.UnsupportedTransferCoding.code: "expected a Transfer-Encoding of chunked, got another one",
    refusals.UnsupportedVersion.code: "expected HTTP/1.1 or HTTP/1.0, got HTTP/2.0",
}
"""An example of each code's `detail`."""
MEMBERS: dict[str, dict[str, object]] = {
    "not-acceptable": {"supported": ["application/json", "application/x-npy"]},
    "unsupported-media-type": {"supported": ["application/json", "application/x-npy"]},
    "unsupported-encoding": {"supported": ["gzip", "deflate"]},
    "invalid-parameter": {
        "parameters": [
            {"name": "count", "in": "query", "problem": "Input should be greater than or equal to 1"},
        ]
    },
}
"""Examples of further members, for the codes that have some."""

MODEL_CODES = ("not-found", "unknown-model")
VERSION_CODES = ("unknown-version",)
TASK_CODES = (
    "malformed-body",
    "unsupported-task",
    "not-acceptable",
    "body-too-large",
    "decompressed-too-large",
    "too-many-rows",
    "unsupported-encoding",
    "invalid-input",
    "not-finite",
    "invalid-parameter",
    "overloaded",
    "shutting-down",
    "expired",
    "run-too-long",
)
ROW_CODES = ("unsupported-media-type", "not-numbers", "ragged-rows", "empty-batch", "wrong-shape")
SAMPLE_CODES = ("too-many-pixels", "too-many-parts", "out-of-range", "invalid-image")
DRIFT_CODES = ("unsupported-task", "refused", "invalid-parameter")
MEMORY_CODES = ("invalid-shared-memory", "refused", "internal-error")
INFER_CODES = {*MODEL_CODES, *VERSION_CODES, *TASK_CODES, *ROW_CODES, *SAMPLE_CODES, *MEMORY_CODES} - {
    "unsupported-task",
    "unsupported-media-type",
    "not-acceptable",
    "too-many-parts",
}
"""Codes of inference in /v2, where every supported task is a model of its own, and the content type is ignored."""


def codes(*, model: bool, version: bool, task: bool, takes: str | None) -> tuple[str, ...]:
    """Return the codes of a route of /v1, given that it has a model, a version, a task, an input."""
    return (
        *(MODEL_CODES if model else ()),
        *(VERSION_CODES if version else ()),
        *(TASK_CODES if task else ()),
        *(ROW_CODES if takes else ()),
        *(SAMPLE_CODES if takes == "samples" else ()),
        "internal-error",
    )


class Problem(BaseModel):
    """A problem document (RFC 9457). Programs use `code`, which is stable; people read `detail`."""

    model_config = ConfigDict(extra="allow")

    type: str = Field("about:blank", description="Always about:blank; `code` names the kind of problem.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    code: str = Field(description="Stable name of the kind of problem; docs/reference/errors.md lists them.")
    detail: str = Field(description="The expected and the actual input.")
    error: str = Field(description="The detail again, for clients of the Open Inference Protocol.")
    request_id: str = Field(description="The answer's X-Request-ID again: quote it when asking about the answer.")


def error_responses(possible: Iterable[str], *media_types: str) -> dict[str, Any]:
    """Return OpenAPI's responses for these codes, by status, in these media types or as problem documents."""
    by_status: dict[int, list[str]] = {}
    for error in service_errors():
        if error.code in possible:
            by_status.setdefault(error.status, []).append(error.code)
    responses = {str(status): _response(status, by_status[status], media_types) for status in sorted(by_status)}
    if "500" in responses:  # the same everywhere
        responses["500"] = {"$ref": RESPONSE_REF.format(InternalError.__name__)}
    return responses


def error_examples() -> dict[str, Any]:
    """Return OpenAPI's `components/examples`: one for each code."""
    return {error.code: _example(error) for error in service_errors()}


def service_errors(base: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Yield every error that a client can get."""
    for child in base.__subclasses__():
        yield child
        yield from service_errors(child)


def responses_anywhere() -> dict[str, tuple[str, Any]]:
    """Return the statuses and responses, by name, of errors that any address can answer: some alone, all together."""
    alone = (MalformedRequest, InternalError, *GUARD_ERRORS)
    types = (PROBLEM_JSON, JSON)  # the second below /v2
    responses = {error.__name__: (str(error.status), _response(error.status, [error.code], types)) for error in alone}
    responses[REFUSAL] = ("default", _response("default", [error.code for error in ANYWHERE], types))
    return responses


def _response(status: int | str, answered: list[str], media_types: tuple[str, ...]) -> dict[str, Any]:
    content = {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in answered},
    }
    first, *others = media_types or (PROBLEM_JSON,)
    bare = {"schema": content["schema"]}  # the examples stand under the first type
    return {"description": STATUSES[status], "content": {first: content} | dict.fromkeys(others, bare)}


def _example(error: type[ServiceError]) -> dict[str, Any]:
    detail = DETAILS.get(error.code, str(error.__doc__))
    document = orjson.loads(problem_document(error(detail, None, **MEMBERS.get(error.code, {})), EXAMPLE_REQUEST_ID))
    return {"summary": str(error.__doc__).partition("\n")[0], "value": document}
