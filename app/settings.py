"""Every HOURGLASS_* variable of the server, in one frozen class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "HOURGLASS_"
FOR_TRAINING = {"HOURGLASS_DATA_DIR", "HOURGLASS_CACHE_DIR"}
"""Variables that the server leaves to `hourglass-train`."""

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """What an operator can set. Each field is the variable HOURGLASS_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in the image.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on; 0 takes a free one.")
    models_dir: Path = Field(Path("models"), description="The model repository: a folder `<name>/<version>/`.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(1, description="Server processes, each with all models.")
    threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="Model runs at once in a process; 0: the cores that the container was given, divided by workers."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe log line.")
    max_body_bytes: Annotated[int, Field(ge=1)] = Field(
        16 * MEBIBYTE, description="Largest request body, in bytes; beyond it, 413 `body-too-large`."
    )
    max_decompressed_bytes: Annotated[int, Field(ge=1)] = Field(
        64 * MEBIBYTE,
        description="Largest size of a body that came compressed, in bytes; beyond it, 413 `decompressed-too-large`.",
    )
    max_pixels: Annotated[int, Field(ge=1)] = Field(
        25_000_000, description="Largest image, width times height; beyond it, 413 `too-many-pixels`."
    )
    max_rows: Annotated[int, Field(ge=1)] = Field(
        4096, description="Most samples or latents in a request or an answer; beyond it, 413 `too-many-rows`."
    )
    max_queued_rows: Annotated[int, Field(ge=1)] = Field(
        16_384, description="Rows accepted and not yet answered, in a process; beyond it, 503 `overloaded`."
    )
    queue_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        30, description="Seconds that rows may wait for a model's run; beyond it, 504 `expired`; 0: for ever."
    )
    batching: bool = Field(
        True, description="Requests that wait share a model's run; false: no request's result depends on another's."
    )
    shutdown_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        30, description="Seconds that accepted requests get to finish after SIGTERM; 0: none."
    )


def unknown_variables() -> list[str]:
    """Variables that look like ours and are not: a misspelled setting must not pass in silence."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | FOR_TRAINING
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
