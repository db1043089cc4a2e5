"""
The start of traces, if they are on: only then is OpenTelemetry's SDK imported.

OpenTelemetry's own variables configure it. Its packages report a wrong value for each export, when nobody looks any
more; so the values without which nothing would arrive are checked here, before the server starts.
"""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app.errors import StartupError

if TYPE_CHECKING:
    from app.server.traces.spans import Traces

MODULES = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter")
PACKAGES = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
PROTOCOL = "http/protobuf"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
"""Variables of which the first that is set counts."""
PROPAGATORS = "OTEL_PROPAGATORS"


def check_traces(enabled: bool) -> None:
    """
    Raise StartupError if traces are on and cannot be exported.

    If they are off, forget the propagators: FastAPI imports OpenTelemetry's API, which would not start with the name of
    one that is not installed.
    """
    if not _is_on(enabled):
        os.environ.pop(PROPAGATORS, None)
        return
    if not all(map(_is_installed, MODULES)):
        raise StartupError(f"HOURGLASS_TRACES needs packages that are not installed: pip install {PACKAGES}")
    exporter = os.environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter != "otlp":
        raise StartupError(f"OTEL_TRACES_EXPORTER: expected otlp or none, got {exporter!r}")
    for name in filter(os.environ.get, PROTOCOLS):
        if os.environ[name] != PROTOCOL:
            raise StartupError(f"{name}: expected {PROTOCOL}, got {os.environ[name]!r}")
    for name in filter(os.environ.get, ENDPOINTS):
        if not _is_address(os.environ[name]):
            raise StartupError(f"{name}: expected an address such as http://localhost:4318, got {os.environ[name]!r}")
    for propagator in filter(None, map(str.strip, os.environ.get(PROPAGATORS, "").split(","))):
        if propagator.lower() != "none" and not entry_points(group="opentelemetry_propagator", name=propagator):
            raise StartupError(f"{PROPAGATORS}: expected tracecontext, baggage or none, got {propagator!r}")


def start_traces(enabled: bool, service_version: str, root_path: str = "") -> Traces | None:
    """Return the traces of this process, or None if they are off. Raises StartupError if they cannot be exported."""
    check_traces(enabled)
    if not _is_on(enabled):
        return None
    try:
        from app.server.traces.export import SpanExport
        from app.server.traces.spans import Traces

        return Traces(SpanExport(service_version), root_path)
    except (ImportError, ValueError, OSError, RuntimeError) as error:
        raise StartupError(f"traces cannot be exported: {error}") from error


def _is_on(enabled: bool) -> bool:
    """Return True unless the setting or one of OpenTelemetry's own variables turns traces off."""
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    return enabled and not disabled and os.environ.get("OTEL_TRACES_EXPORTER") != "none"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:  # a package around it is missing
        return False


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
