"""
Every error for a client or an operator, as one tree.

    HourglassError
    ├── StartupError, NoModels        the process cannot start
    ├── InvalidModel                  a folder is not a whole, valid version
    ├── VersionTaken                  another process wrote the same version in the meantime
    ├── UnfitGraph                    an ONNX file cannot become part of a version
    └── ServiceError                  sent to a client as problem+json, by status:
        ├── 400  MalformedRequest, MalformedBody
        ├── 401  Unauthorized
        ├── 403  Refused, Forbidden
        ├── 404  NotFound ── UnknownModel, UnknownVersion, UnsupportedTask
        ├── 405  MethodNotAllowed
        ├── 406  NotAcceptable
        ├── 408  RequestTimeout
        ├── 409  LoadFailed
        ├── 413  BodyTooLarge, DecompressedTooLarge, TooManyRows, TooManyParts, TooManyPixels
        ├── 414  TargetTooLong
        ├── 415  UnsupportedMedia, UnsupportedEncoding
        ├── 421  MisdirectedRequest
        ├── 422  InvalidParameter, InvalidSharedMemory
        ├── 422  InvalidInput ── NotNumbers, RaggedRows, EmptyBatch, WrongShape, NotFinite, OutOfRange, InvalidImage
        ├── 429  TooManyRequests
        ├── 431  HeadTooLarge
        ├── 500  InternalError
        ├── 501  UnsupportedTransferCoding
        ├── 503  Overloaded, ShuttingDown
        ├── 504  Expired, RunTooLong
        └── 505  UnsupportedVersion

A message names what was expected and what arrived, in the user's terms. `docs/reference/errors.md` lists all of them.
The classes of 408, 414, 431, 501 and 505 stand in `app.server.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

MAX_REPEATED_CHARACTERS = 100
"""Characters of a request that an error repeats."""


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

    def __init_subclass__(cls, *, status: int | None = None, code: str | None = None) -> None:
        """Give the class its two facts; it inherits those that it does not name."""
        cls.status, cls.code = status or cls.status, code or cls.code

    def __init__(self, detail: str, /, headers: Mapping[str, str] | None = None, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members
        """More members of the problem document, such as `supported` or `parameters`."""

    def without_frames(self) -> Self:
        """Drop the tracebacks, whose frames would keep bodies and arrays in memory, and return the error."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class MalformedRequest(ServiceError, status=400, code="malformed-request"):
    """The bytes received are not an HTTP request."""


class MalformedBody(ServiceError, status=400, code="malformed-body"):
    """The body does not have the format that its content type names."""


class Unauthorized(ServiceError, status=401, code="unauthorized"):
    """The request has no key, or an unknown one."""


class Refused(ServiceError, status=403, code="refused"):
    """The server understands the request, but does not offer this function."""


class Forbidden(ServiceError, status=403, code="forbidden"):
    """The key, or the page that sends the request, may not use this function."""


class NotFound(ServiceError, status=404, code="not-found"):
    """Nothing exists at this address."""


class UnknownModel(NotFound, code="unknown-model"):
    """The server has no model of this name."""


class UnknownVersion(NotFound, code="unknown-version"):
    """The model does not have this version."""


class UnsupportedTask(NotFound, code="unsupported-task"):
    """The model does not support this task."""


class MethodNotAllowed(ServiceError, status=405, code="method-not-allowed"):
    """The address exists, but not with this method."""


class NotAcceptable(ServiceError, status=406, code="not-acceptable"):
    """None of the formats that the client accepts is available here."""


class LoadFailed(ServiceError, status=409, code="load-failed"):
    """A version of the model cannot be loaded. Those that were served before still are."""


class BodyTooLarge(ServiceError, status=413, code="body-too-large"):
    """The body has more bytes than the server accepts."""


class DecompressedTooLarge(ServiceError, status=413, code="decompressed-too-large"):
    """The decompressed body would have more bytes than the server accepts."""


class TooManyRows(ServiceError, status=413, code="too-many-rows"):
    """The request contains, or asks for, more rows than the server accepts at once."""


class TooManyParts(ServiceError, status=413, code="too-many-parts"):
    """The form has more parts than the server accepts."""


class TooManyPixels(ServiceError, status=413, code="too-many-pixels"):
    """The images of the request have more pixels than the server accepts."""


class UnsupportedMedia(ServiceError, status=415, code="unsupported-media-type"):
    """The content type of the body is not supported here."""


class UnsupportedEncoding(ServiceError, status=415, code="unsupported-encoding"):
    """The content encoding of the body is not supported."""


class MisdirectedRequest(ServiceError, status=421, code="misdirected-request"):
    """The request names a host that the server does not answer for."""


class InvalidInput(ServiceError, status=422, code="invalid-input"):
    """The request is well formed, but not valid for the model."""


class NotNumbers(InvalidInput, code="not-numbers"):
    """A value in the rows is not a number."""


class RaggedRows(InvalidInput, code="ragged-rows"):
    """The rows differ in length or depth."""


class EmptyBatch(InvalidInput, code="empty-batch"):
    """The request has no rows."""


class WrongShape(InvalidInput, code="wrong-shape"):
    """The rows do not have the shape that the model expects."""


class NotFinite(InvalidInput, code="not-finite"):
    """A number is NaN, infinite or too large for float32."""


class OutOfRange(InvalidInput, code="out-of-range"):
    """A number lies outside the model's value range."""


class InvalidImage(InvalidInput, code="invalid-image"):
    """The image cannot be decoded, or the model does not accept images."""


class InvalidSharedMemory(ServiceError, status=422, code="invalid-shared-memory"):
    """The region of shared memory is not registered, is too small, or cannot be opened."""


class InvalidParameter(ServiceError, status=422, code="invalid-parameter"):
    """A parameter is unknown, or its value is not allowed."""


class Overloaded(ServiceError, status=503, code="overloaded"):
    """The queue is full, or too many bytes are held. The request can be sent again later."""


class ShuttingDown(ServiceError, status=503, code="shutting-down"):
    """The server ends and could not answer in time. The request can be sent again, and reaches another process."""


class Expired(ServiceError, status=504, code="expired"):
    """The request waited longer than the limit for a thread, and was not computed."""


class RunTooLong(ServiceError, status=504, code="run-too-long"):
    """The model ran longer than the limit on these rows, and was stopped."""


class TooManyRequests(ServiceError, status=429, code="too-many-requests"):
    """The caller sent more requests than its rate limit allows."""


class InternalError(ServiceError, status=500, code="internal-error"):
    """The server failed because of a bug. The details are only in its log."""
