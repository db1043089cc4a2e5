"""The settings of the server: every HOURGLASS_* variable, in one frozen class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "HOURGLASS_"
TRAINING_VARIABLES = {"HOURGLASS_DATA_DIR", "HOURGLASS_CACHE_DIR"}
"""Variables that only `hourglass-train` reads."""

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """The settings of an operator. Each field is the variable HOURGLASS_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; the image sets 0.0.0.0.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="Port to listen on; 0: a free one.")
    models_dir: Path = Field(Path("models"), description="Model repository: a folder with `<name>/<version>/`.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(1, description="Server processes; each loads all models.")
    threads: Annotated[int, Field(ge=0, le=256)] = Field(
        0, description="Concurrent model runs per process; 0: the cores of the container, divided by the workers."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines to write."
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
    queue_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        30, description="Seconds that a request may wait for a thread; longer: 504 `expired`; 0: no limit."
    )
    run_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        60, description="Seconds that a run of a model may take; longer: 504 `run-too-long`; 0: no limit."
    )
    batching: bool = Field(
        True, description="Let waiting requests share a run of the model; false: run each on its own."
    )
    shutdown_seconds: Annotated[int, Field(ge=0, le=3600)] = Field(
        30, description="Seconds for accepted requests to finish after SIGTERM; 0: none."
    )


def unknown_variables() -> list[str]:
    """Return the environment's HOURGLASS_* variables that are not settings: they may be misspelled ones."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | TRAINING_VARIABLES
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
