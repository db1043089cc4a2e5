"""The shapes of what /v2 takes and gives in JSON, for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.api.negotiation import JSON
from app.api.tensor_replies import OCTETS
from app.formats.tensors import BYTES, DTYPES


class ServerMetadata(BaseModel):
    """The server."""

    name: str
    version: str
    extensions: list[str] = Field(description="Names of the extensions of the protocol that the server has.")


class Live(BaseModel):
    """Whether the process answers."""

    live: bool


class Ready(BaseModel):
    """Whether the models can be asked."""

    ready: bool


class ModelNames(BaseModel):
    """All models."""

    models: list[str]


class TensorMetadata(BaseModel):
    """An input or an output."""

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
    """Whether a model can be asked."""

    name: str
    ready: bool


class TensorConfig(BaseModel):
    """An input or an output, in a model's configuration."""

    name: str
    data_type: str
    dims: list[int] = Field(description="Without the axis of the batch where max_batch_size is above 0.")
    optional: bool = Field(False, description="Whether a request may leave the input out.")


class ModelConfig(BaseModel):
    """A model's configuration, with the members of Triton's that mean something here."""

    name: str
    platform: str
    backend: str
    version_policy: dict[str, Any]
    max_batch_size: int = Field(description="Most rows of a request; 0 where the first axis is no batch.")
    input: list[TensorConfig]
    output: list[TensorConfig]
    instance_group: list[dict[str, Any]]
    dynamic_batching: dict[str, Any] | None = Field(None, description="Present where requests share runs.")


class Duration(BaseModel):
    """How often, and how long altogether."""

    count: int
    ns: int


class InferenceStatistics(BaseModel):
    """Requests of this protocol, and the queue and runs of the graphs behind the task."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchStatistics(BaseModel):
    """Runs of one number of rows."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(BaseModel):
    """What a model has done since the process started."""

    name: str
    version: str
    last_inference: int = Field(description="Milliseconds since 1970; 0 where there was none.")
    inference_count: int = Field(description="Rows.")
    execution_count: int = Field(description="Runs; rows divided by runs is the mean batch size.")
    inference_stats: InferenceStatistics
    response_stats: dict[str, Any]
    batch_stats: list[BatchStatistics]
    memory_usage: list[dict[str, Any]]


class Statistics(BaseModel):
    """What models have done."""

    model_stats: list[ModelStatistics]


class IndexEntry(BaseModel):
    """A version of a model."""

    name: str
    version: str
    state: Literal["READY"]
    reason: str


class OutputTensor(BaseModel):
    """An output: its numbers, or how many bytes of them follow the JSON."""

    name: str
    shape: list[int]
    datatype: Literal["FP32"]
    parameters: dict[str, Any] | None = None
    data: list[float] | None = None


class InferenceAnswer(BaseModel):
    """What a model answers."""

    model_name: str
    model_version: str
    id: str | None = Field(None, description="The request's.")
    parameters: dict[str, Any] | None = Field(None, description="`seed`, of draws: what makes them again.")
    outputs: list[OutputTensor]


NAME = {"type": "string"}
PARAMETERS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
INPUT = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
        "datatype": {"type": "string", "enum": [*DTYPES, BYTES]},
        "parameters": {**PARAMETERS, "description": "`binary_data_size`: the bytes after the JSON that are its data."},
        "data": {
            "type": "array",
            "items": {},
            "description": "In a row, or nested as the shape. BYTES, encoded images, as base64.",
        },
    },
}
OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": NAME, "parameters": {**PARAMETERS, "description": "`binary_data`: whether as bytes."}},
}
REQUEST = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Comes back in the answer."},
        "parameters": {**PARAMETERS, "description": "Options of the task, `binary_data_output`, `timeout` in µs."},
        "inputs": {"type": "array", "items": INPUT},
        "outputs": {"type": "array", "items": OUTPUT, "description": "All, where it is left out."},
    },
}
INFERENCE_BODY = {
    "required": True,
    "description": "JSON, or JSON and bytes. The header Inference-Header-Content-Length tells, not the content type.",
    "content": {
        JSON: {"schema": REQUEST},
        OCTETS: {"schema": {"type": "string", "format": "binary"}},
    },
}
INFERENCE_HEADER = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "schema": {"type": "integer", "minimum": 0},
    "description": "Bytes of JSON, after which the tensors' follow; 0 where the body is the bytes of the one input.",
}
