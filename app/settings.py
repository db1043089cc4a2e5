"""The settings of the server: every HOURGLASS_* variable, which is also an option, in one frozen class."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from app.distribution import bundled_models
from app.setting_types import HostNames, Origins, Port, RateLimits, RootPath, Seconds

PREFIX = "HOURGLASS_"
TRAINING_VARIABLES = {"HOURGLASS_DATA_DIR", "HOURGLASS_CACHE_DIR"}
"""Variables that only `hourglass-train` reads."""

SERVICE_VARIABLE = re.compile(r"HOURGLASS_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")
"""Kubernetes sets such variables in each container for a service whose name begins with `hourglass`."""

MODELS = Path("models")
VERSION = re.compile(r"[^.].*/[1-9][0-9]{0,8}")
"""The folder of a version in a model repository, `<name>/<version>`."""
MEBIBYTE = 1024 * 1024


def default_models_dir() -> Path:
    """Return `models` in the working folder if that holds a version, otherwise the bundled models, if there are any."""
    try:
        if any(VERSION.fullmatch(f"{path.parent.name}/{path.name}") and path.is_dir() for path in MODELS.glob("*/*")):
            return MODELS
    except PermissionError:
        return MODELS  # its error says so
    if MODELS.is_dir() and not os.access(MODELS, os.R_OK | os.X_OK):
        return MODELS  # its error says so
    return bundled_models() or MODELS


class Variables(EnvSettingsSource):
    """The environment variables, without Kubernetes' address of a service: HOURGLASS_PORT=tcp://10.0.0.1:8000."""

    def __call__(self) -> dict[str, object]:
        """Return the values of the fields that have a variable."""
        values = super().__call__()
        for name in ("port", "grpc_port"):
            if SERVICE_ADDRESS.match(str(values.get(name))):
                del values[name]
        return values


class Settings(BaseSettings):
    """The settings of an operator. Each field is the variable HOURGLASS_<FIELD>, and an option of `hourglass serve`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; the image sets 0.0.0.0.")
    port: Port = Field(8000, description="Port to listen on; 0: a free one.")
    uds: Path | None = Field(
        None, description="Path of a Unix socket to listen on in place of host and port; none: host and port."
    )
    grpc_port: Port | None = Field(
        None,
        description="Port of gRPC on the same address, which needs the extra grpc; 0: a free one; none: no gRPC.",
    )
    models_dir: Path = Field(
        default_factory=default_models_dir,
        description="Model repository: a folder with `<name>/<version>/`. By default `models` in the working folder, "
        "or the bundled models if that holds no version.",
    )
    reload_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        2, description="Seconds between two looks for changes in the model repository; 0: none, only on request."
    )
    control: bool = Field(
        False, description="Let clients load and unload models with /v2; false: 403 `refused`. Needs one worker."
    )
    shared_memory: bool = Field(
        False,
        description="Let clients of /v2 on this machine send tensors in shared memory; false: 403 `refused`. "
        "Needs one worker.",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(1, description="Server processes; each loads all models.")
    threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="Concurrent model runs per process; 0: the cores of the container, divided by the workers."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines to write."
    )
    traces: bool = Field(
        False, description="Export traces with OpenTelemetry, which has its own OTEL_* variables; needs the extra otel."
    )
    max_body_bytes: Annotated[int, Field(ge=1)] = Field(
        16 * MEBIBYTE, description="Largest request body, in bytes; larger: 413 `body-too-large`."
    )
    max_decompressed_bytes: Annotated[int, Field(ge=1)] = Field(
        64 * MEBIBYTE,
        description="Largest decompressed request body, in bytes; larger: 413 `decompressed-too-large`.",
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        12_582_912, description="Most pixels of all images in a request; more: 413 `too-many-pixels`."
    )
    max_parts: Annotated[int, Field(ge=1)] = Field(
        1024, description="Most parts (images) of a form; more: 413 `too-many-parts`."
    )
    max_rows: Annotated[int, Field(ge=1)] = Field(
        4096, description="Most samples or latent vectors in a request or an answer; more: 413 `too-many-rows`."
    )
    max_numbers: Annotated[int, Field(ge=1)] = Field(
        16 * MEBIBYTE,
        description="Most numbers in the samples of a request or an answer; more: 413 `too-many-rows`.",
    )
    max_queued_rows: Annotated[int, Field(ge=1)] = Field(
        16_384, description="Most rows accepted and not yet answered, per process; more: 503 `overloaded`."
    )
    max_held_bytes: Annotated[int, Field(ge=1)] = Field(
        256 * MEBIBYTE,
        description="Most bytes of bodies, rows and unread answers at once, per process, at least one decompressed "
        "body and one body as sent; more: 503 `overloaded`.",
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        4096, description="Most open connections, per process; more: 503 `overloaded`, and the connection closes."
    )
    max_head_bytes: Annotated[int, Field(ge=256)] = Field(
        65_536, description="Largest request target and headers, in bytes; larger: 431 `head-too-large` or 414."
    )
    max_headers: Annotated[int, Field(ge=1)] = Field(
        100, description="Most headers of a request; more: 431 `head-too-large`."
    )
    head_seconds: Seconds = Field(
        60, description="Seconds for the head of a request; longer: the connection closes; 0: no limit."
    )
    body_seconds: Seconds = Field(
        60, description="Seconds for the body of a request; longer: 408 `request-timeout`; 0: no limit."
    )
    write_seconds: Seconds = Field(
        60, description="Seconds without progress while a client reads; longer: the connection closes; 0: no limit."
    )
    keep_alive_seconds: Seconds = Field(
        75, description="Seconds that a connection stays open between two requests; 0: no limit."
    )
    compress_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * 1024,
        description="Smallest JSON answer of /v1, in bytes, that is compressed if the client accepts that; 0: none.",
    )
    queue_seconds: Seconds = Field(
        30, description="Seconds that a request may wait for a thread; longer: 504 `expired`; 0: no limit."
    )
    run_seconds: Seconds = Field(
        60, description="Seconds that a run of a model may take; longer: 504 `run-too-long`; 0: no limit."
    )
    batching: bool = Field(
        True, description="Let waiting requests share a run of the model; false: run each on its own."
    )
    drift_window: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1000, description="Scored rows of each version, the last ones, that drift is looked for in; 0: none."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = Field(
        5, description="Seconds to go on serving after SIGTERM, with /readyz at 503; 0: none."
    )
    ssl_certfile: Path | None = Field(
        None, description="Certificate in PEM, with those that signed it: serve HTTPS; none: serve HTTP."
    )
    ssl_keyfile: Path | None = Field(
        None, description="Private key of the certificate in PEM, without a password; none: it is in the same file."
    )
    keys_file: Path | None = Field(
        None, description="File of API keys, as `hourglass key` prints them, read again when it changes; none: no keys."
    )
    open_docs: bool | None = Field(
        None,
        description="Serve the documentation to everyone; false: only to keys, or to nobody if there are none; "
        "none: true without a keys file.",
    )
    open_metrics: bool | None = Field(
        None,
        description="Serve /metrics to everyone; false: only to keys, or to nobody if there are none; "
        "none: true without a keys file.",
    )
    rate_limit: RateLimits = Field(
        "",
        description="Requests per key, or per address without keys, in one process, such as 100/second;5000/hour; "
        "more: 429 `too-many-requests`; empty: no limit.",
    )
    cors_origins: Origins = Field(
        "",
        description="Origins, with commas, whose pages may use the server from a browser, such as "
        "https://app.example.com; *: all; empty: none.",
    )
    allowed_hosts: HostNames = Field(
        "",
        description="Names, with commas, that requests may address the server by, such as api.example.com or "
        "*.example.com; others: 421 `misdirected-request`; *: all; empty: all, or names without a dot if the "
        "server listens on a loopback address.",
    )
    root_path: RootPath = Field(
        "", description="Prefix of the server's addresses behind a proxy, such as /hourglass; empty: none."
    )
    shutdown_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        30, description="Seconds for accepted requests to finish after the drain; 0: none."
    )

    @field_validator("max_held_bytes")
    @classmethod
    def _admit_the_largest_body(cls, limit: int, values: ValidationInfo) -> int:
        largest = values.data.get("max_body_bytes", 0) + values.data.get("max_decompressed_bytes", 0)
        if limit < largest:
            raise ValueError(f"expected at least {largest}, the sum of the largest body as sent and decompressed")
        return limit

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from, the strongest first. Options are stronger than all of these."""
        return init_settings, Variables(settings_cls)


def variable(name: str) -> str:
    """Return the environment variable of a field."""
    return PREFIX + name.upper()


def unknown_variables() -> list[str]:
    """Return the environment's HOURGLASS_* variables that are not settings: they may be misspelled ones."""
    known = {variable(name) for name in Settings.model_fields} | TRAINING_VARIABLES
    return sorted(
        name
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not SERVICE_VARIABLE.fullmatch(name)
        and not SERVICE_ADDRESS.match(value)
    )
