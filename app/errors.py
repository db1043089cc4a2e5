"""
Every error that a client or an operator can get, as one tree.

    HourglassError
    ├── StartupError                  the process cannot start
    │   └── NoModels
    ├── InvalidModel                  a folder is not a whole, valid version
    ├── VersionTaken                  somebody else wrote the same version meanwhile
    ├── UnfitGraph                    an ONNX file cannot become a part of a version
    └── ServiceError                  answered to a client, as problem+json
        ├── MalformedRequest    400   malformed-request
        ├── MalformedBody       400   malformed-body
        ├── Refused             403   refused
        ├── NotFound            404   not-found
        │   ├── UnknownModel    404   unknown-model
        │   ├── UnknownVersion  404   unknown-version
        │   └── UnsupportedTask 404   unsupported-task
        ├── MethodNotAllowed    405   method-not-allowed
        ├── NotAcceptable       406   not-acceptable
        ├── BodyTooLarge        413   body-too-large
        ├── DecompressedTooLarge 413  decompressed-too-large
        ├── TooManyRows         413   too-many-rows
        ├── TooManyParts        413   too-many-parts
        ├── TooManyPixels       413   too-many-pixels
        ├── UnsupportedMedia    415   unsupported-media-type
        ├── UnsupportedEncoding 415   unsupported-encoding
        ├── InvalidInput        422   invalid-input
        │   ├── NotNumbers      422   not-numbers
        │   ├── RaggedRows      422   ragged-rows
        │   ├── EmptyBatch      422   empty-batch
        │   ├── WrongShape      422   wrong-shape
        │   ├── NotFinite       422   not-finite
        │   ├── OutOfRange      422   out-of-range
        │   └── InvalidImage    422   invalid-image
        ├── InvalidParameter    422   invalid-parameter
        ├── Overloaded          503   overloaded
        ├── Expired             504   expired
        └── InternalError       500   internal-error

A message says what was expected and what came, in the user's words. `docs/reference/errors.md` lists them all.
"""

from __future__ import annotations

from collections.abc import Mapping


class HourglassError(Exception):
    """An error with a sentence for a person."""


class StartupError(HourglassError):
    """The process cannot start; the sentence says what to change."""


class NoModels(StartupError):
    """The model repository holds no valid version."""


class InvalidModel(HourglassError):
    """A folder of the model repository is not a whole, valid version of a model."""


class VersionTaken(HourglassError):
    """Somebody else wrote the same version of the model meanwhile."""


class UnfitGraph(HourglassError):
    """An ONNX file cannot become the encoder or the decoder of a version; the sentence says why."""


class ServiceError(HourglassError):
    """An error that a client is told of. `status` and `code` stand on the class, and the code is stable."""

    status: int = 500
    code: str = "internal-error"

    def __init__(self, detail: str, /, headers: Mapping[str, str] | None = None, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members
        """Further members of the problem document: `supported`, `parameters`."""


class MalformedRequest(ServiceError):
    """What came is no HTTP."""

    status, code = 400, "malformed-request"


class MalformedBody(ServiceError):
    """The body is not what its content type says."""

    status, code = 400, "malformed-body"


class Refused(ServiceError):
    """The server knows what is asked for, and does not do it."""

    status, code = 403, "refused"


class NotFound(ServiceError):
    """Nothing lives at this address."""

    status, code = 404, "not-found"


class UnknownModel(NotFound):
    """The repository serves no model of this name."""

    code = "unknown-model"


class UnknownVersion(NotFound):
    """The model has no such version."""

    code = "unknown-version"


class UnsupportedTask(NotFound):
    """The model was not made for this task."""

    code = "unsupported-task"


class MethodNotAllowed(ServiceError):
    """The address exists, but not with this method."""

    status, code = 405, "method-not-allowed"


class NotAcceptable(ServiceError):
    """None of the formats that the client accepts can be given here."""

    status, code = 406, "not-acceptable"


class BodyTooLarge(ServiceError):
    """The body has more bytes than the server takes."""

    status, code = 413, "body-too-large"


class DecompressedTooLarge(ServiceError):
    """The body would have more bytes, decompressed, than the server takes."""

    status, code = 413, "decompressed-too-large"


class TooManyRows(ServiceError):
    """The request has, or asks for, more rows than the server takes at once."""

    status, code = 413, "too-many-rows"


class TooManyParts(ServiceError):
    """The form has more parts than the server reads."""

    status, code = 413, "too-many-parts"


class TooManyPixels(ServiceError):
    """The images of a request have more pixels than the server decodes."""

    status, code = 413, "too-many-pixels"


class UnsupportedMedia(ServiceError):
    """The body's content type is not one that can be taken here."""

    status, code = 415, "unsupported-media-type"


class UnsupportedEncoding(ServiceError):
    """The body's content encoding is not one that can be taken."""

    status, code = 415, "unsupported-encoding"


class InvalidInput(ServiceError):
    """The request is well formed, but the model cannot take it."""

    status, code = 422, "invalid-input"


class NotNumbers(InvalidInput):
    """Something in the rows is not a number."""

    code = "not-numbers"


class RaggedRows(InvalidInput):
    """The rows differ in length or depth."""

    code = "ragged-rows"


class EmptyBatch(InvalidInput):
    """There is no row."""

    code = "empty-batch"


class WrongShape(InvalidInput):
    """The rows have not the shape that the model takes."""

    code = "wrong-shape"


class NotFinite(InvalidInput):
    """A number is NaN, infinite or too large for float32."""

    code = "not-finite"


class OutOfRange(InvalidInput):
    """A number lies outside the model's value range."""

    code = "out-of-range"


class InvalidImage(InvalidInput):
    """The image cannot be decoded, or the model does not take images."""

    code = "invalid-image"


class InvalidParameter(ServiceError):
    """A query parameter is unknown or has a value that cannot be."""

    status, code = 422, "invalid-parameter"


class Overloaded(ServiceError):
    """The queue is full; the same request can be sent again later."""

    status, code = 503, "overloaded"


class Expired(ServiceError):
    """The request waited for a run longer than it may, and was not computed."""

    status, code = 504, "expired"


class InternalError(ServiceError):
    """A bug. Its text stays in the server's log."""

    status, code = 500, "internal-error"
