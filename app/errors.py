"""
Every error for a client or an operator, as one tree.

    HourglassError
    ├── StartupError, NoModels        the process cannot start
    ├── InvalidModel                  a folder is not a whole, valid version
    ├── VersionTaken                  another process wrote the same version in the meantime
    ├── UnfitGraph                    an ONNX file cannot become part of a version
    └── ServiceError                  sent to a client as problem+json, by status:
        ├── 400  MalformedRequest, MalformedBody
        ├── 403  Refused
        ├── 404  NotFound ── UnknownModel, UnknownVersion, UnsupportedTask
        ├── 405  MethodNotAllowed
        ├── 406  NotAcceptable
        ├── 413  BodyTooLarge, DecompressedTooLarge, TooManyRows, TooManyParts, TooManyPixels
        ├── 415  UnsupportedMedia, UnsupportedEncoding
        ├── 422  InvalidParameter
        ├── 422  InvalidInput ── NotNumbers, RaggedRows, EmptyBatch, WrongShape, NotFinite, OutOfRange, InvalidImage
        ├── 500  InternalError
        ├── 503  Overloaded
        └── 504  Expired, RunTooLong

A message names what was expected and what arrived, in the user's terms. `docs/reference/errors.md` lists all of them.
"""

from __future__ import annotations

from collections.abc import Mapping


class HourglassError(Exception):
    """An error with a sentence for a person."""


class StartupError(HourglassError):
    """The process cannot start. The message says what to change."""


class NoModels(StartupError):
    """The model repository holds no valid version."""


class InvalidModel(HourglassError):
    """A folder of the model repository is not a whole, valid version of a model."""


class VersionTaken(HourglassError):
    """Another process wrote the same version of the model in the meantime."""


class UnfitGraph(HourglassError):
    """An ONNX file cannot become the encoder or the decoder of a version. The message says why."""


class ServiceError(HourglassError):
    """An error that is sent to a client. Each class has a `status` and a stable `code`."""

    status: int = 500
    code: str = "internal-error"

    def __init__(self, detail: str, /, headers: Mapping[str, str] | None = None, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members
        """More members of the problem document, such as `supported` or `parameters`."""


class MalformedRequest(ServiceError):
    """The bytes received are not an HTTP request."""

    status, code = 400, "malformed-request"


class MalformedBody(ServiceError):
    """The body does not have the format that its content type names."""

    status, code = 400, "malformed-body"


class Refused(ServiceError):
    """The server understands the request, but does not offer this function."""

    status, code = 403, "refused"


class NotFound(ServiceError):
    """Nothing exists at this address."""

    status, code = 404, "not-found"


class UnknownModel(NotFound):
    """The server has no model of this name."""

    code = "unknown-model"


class UnknownVersion(NotFound):
    """The model does not have this version."""

    code = "unknown-version"


class UnsupportedTask(NotFound):
    """The model does not support this task."""

    code = "unsupported-task"


class MethodNotAllowed(ServiceError):
    """The address exists, but not with this method."""

    status, code = 405, "method-not-allowed"


class NotAcceptable(ServiceError):
    """None of the formats that the client accepts is available here."""

    status, code = 406, "not-acceptable"


class BodyTooLarge(ServiceError):
    """The body has more bytes than the server accepts."""

    status, code = 413, "body-too-large"


class DecompressedTooLarge(ServiceError):
    """The decompressed body would have more bytes than the server accepts."""

    status, code = 413, "decompressed-too-large"


class TooManyRows(ServiceError):
    """The request contains, or asks for, more rows than the server accepts at once."""

    status, code = 413, "too-many-rows"


class TooManyParts(ServiceError):
    """The form has more parts than the server accepts."""

    status, code = 413, "too-many-parts"


class TooManyPixels(ServiceError):
    """The images of the request have more pixels than the server accepts."""

    status, code = 413, "too-many-pixels"


class UnsupportedMedia(ServiceError):
    """The content type of the body is not supported here."""

    status, code = 415, "unsupported-media-type"


class UnsupportedEncoding(ServiceError):
    """The content encoding of the body is not supported."""

    status, code = 415, "unsupported-encoding"


class InvalidInput(ServiceError):
    """The request is well formed, but not valid for the model."""

    status, code = 422, "invalid-input"


class NotNumbers(InvalidInput):
    """A value in the rows is not a number."""

    code = "not-numbers"


class RaggedRows(InvalidInput):
    """The rows differ in length or depth."""

    code = "ragged-rows"


class EmptyBatch(InvalidInput):
    """The request has no rows."""

    code = "empty-batch"


class WrongShape(InvalidInput):
    """The rows do not have the shape that the model expects."""

    code = "wrong-shape"


class NotFinite(InvalidInput):
    """A number is NaN, infinite or too large for float32."""

    code = "not-finite"


class OutOfRange(InvalidInput):
    """A number lies outside the model's value range."""

    code = "out-of-range"


class InvalidImage(InvalidInput):
    """The image cannot be decoded, or the model does not accept images."""

    code = "invalid-image"


class InvalidParameter(ServiceError):
    """A parameter is unknown, or its value is not allowed."""

    status, code = 422, "invalid-parameter"


class Overloaded(ServiceError):
    """The queue is full. The request can be sent again later."""

    status, code = 503, "overloaded"


class Expired(ServiceError):
    """The request waited longer than the limit for a thread, and was not computed."""

    status, code = 504, "expired"


class RunTooLong(ServiceError):
    """The model ran longer than the limit on these rows, and was stopped."""

    status, code = 504, "run-too-long"


class InternalError(ServiceError):
    """The server failed because of a bug. The details are only in its log."""

    status, code = 500, "internal-error"
