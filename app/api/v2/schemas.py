"""The shapes of JSON bodies and answers of /v2, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.negotiation import JSON, OCTETS
from app.formats.tensors import BYTES, DTYPES


class ServerMetadata(BaseModel):
    """The server's name, version and extensions."""

    name: str
    version: str
    extensions: list[str] = Field(description="Names of the supported extensions of the protocol.")


class Live(BaseModel):
    """The result of the liveness probe."""

    live: bool


class Ready(BaseModel):
    """The result of the readiness probe."""

    ready: bool


class ModelNames(BaseModel):
    """The names of all models."""

    models: list[str]


class TensorMetadata(BaseModel):
    """An input or output of a model."""

    name: str
    datatype: str
    shape: list[int] = Field(description="-1 is a length that varies; the first axis is the batch.")


class ModelMetadata(BaseModel):
    """A model: one task of one of the server's models."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """The readiness of a model."""

    name: str
    ready: bool


class TensorConfig(BaseModel):
    """An input or output in a model's configuration."""

    name: str
    data_type: str
    dims: list[int] = Field(description="The shape, without the batch axis if max_batch_size is above 0.")
    optional: bool = Field(False, description="True if a request may leave the input out.")


class ModelConfig(BaseModel):
    """A model's configuration: the members of Triton's that apply here."""

    name: str
    platform: str
    backend: str
    version_policy: dict[str, Any]
    max_batch_size: int = Field(description="The most rows of a request; 0 if the first axis is not a batch.")
    input: list[TensorConfig]
    output: list[TensorConfig]
    instance_group: list[dict[str, Any]]
    dynamic_batching: dict[str, Any] | None = Field(None, description="Present if requests share runs.")


class Duration(BaseModel):
    """A count of events, and their total time."""

    count: int
    ns: int


class InferenceStatistics(BaseModel):
    """The requests of this protocol, and the queue and runs of the graphs behind the task."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchStatistics(BaseModel):
    """The runs with one number of rows."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(BaseModel):
    """A model's statistics since the process started."""

    name: str
    version: str
    last_inference: int = Field(description="Milliseconds since 1970; 0 before the first.")
    inference_count: int = Field(description="Rows.")
    execution_count: int = Field(description="Runs; rows divided by runs is the mean batch size.")
    inference_stats: InferenceStatistics
    response_stats: dict[str, Any]
    batch_stats: list[BatchStatistics]
    memory_usage: list[dict[str, Any]]


class Statistics(BaseModel):
    """The statistics of models."""

    model_stats: list[ModelStatistics]


class IndexEntry(BaseModel):
    """A version of a model."""

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = Field(description="The reason if the version is unavailable.")


class OutputTensor(BaseModel):
    """An output: its numbers, or the size of its bytes after the JSON."""

    name: str
    shape: list[int]
    datatype: Literal["FP32"]
    parameters: dict[str, Any] | None = None
    data: list[float] | None = None


class InferenceAnswer(BaseModel):
    """A model's answer."""

    model_name: str
    model_version: str
    id: str | None = Field(None, description="The request's id.")
    parameters: dict[str, Any] | None = Field(None, description="`seed` repeats the draws, if there were any.")
    outputs: list[OutputTensor]


NAME = {"type": "string"}
PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
SCHEMA_REF = "#/components/schemas/{}"
INPUT = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
        "datatype": {"type": "string", "enum": [*DTYPES, BYTES]},
        "parameters": {
            **PARAMETERS,
            "description": "`binary_data_size`: the number of bytes after the JSON that are its data.",
        },
        "data": {
            "type": "array",
            "items": {},
            "description": "Flat, or nested as the shape. BYTES are encoded images, as base64.",
        },
    },
}
OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": NAME, "parameters": {**PARAMETERS, "description": "`binary_data`: true for bytes."}},
}
REQUEST = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The answer repeats it."},
        "parameters": {**PARAMETERS, "description": "Options of the task, `binary_data_output`, `timeout` in µs."},
        "inputs": {"type": "array", "items": {"$ref": SCHEMA_REF.format("InferenceInput")}},
        "outputs": {
            "type": "array",
            "items": {"$ref": SCHEMA_REF.format("InferenceOutput")},
            "description": "The wanted outputs; by default all.",
        },
    },
}
INFERENCE_SCHEMAS = {"InferenceRequest": REQUEST, "InferenceInput": INPUT, "InferenceOutput": OUTPUT}
"""The schemas of a request, by their names in the document."""
INFERENCE_BODY: dict[str, Any] = {
    "required": True,
    "description": "JSON, or JSON and bytes: the header Inference-Header-Content-Length decides, not the content type.",
    "content": {
        JSON: {"schema": {"$ref": SCHEMA_REF.format("InferenceRequest")}},
        OCTETS: {"schema": {"type": "string", "format": "binary"}},
    },
}
INFERENCE_HEADER = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "schema": {"type": "integer", "minimum": 0},
    "description": "The length of the JSON, before the bytes of tensors; 0 if the body is the bytes of the only input.",
}
