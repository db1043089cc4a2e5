"""Traces cost nothing when they are off, and what would keep them from arriving is one sentence at the start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import StartupError
from app.server.traces.start import check_traces, start_traces
from tests.helpers.process import run

BLOCK = """
import sys
for name in ("opentelemetry.sdk", "opentelemetry.exporter"):
    sys.modules[name] = None  # an import of it fails, as if it were not installed
"""


def test_a_server_without_traces_imports_nothing_for_them(tiny_models: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.main import create_app; from app.settings import Settings;"
        "from starlette.testclient import TestClient;"
        f"client = TestClient(create_app(Settings(models_dir=Path({str(tiny_models)!r}))));"
        "parent = '00-' + '1' * 32 + '-' + '2' * 16 + '-01';"
        "assert client.get('/v1/models', headers={'traceparent': parent}).is_success;"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter',"
        "'opentelemetry.proto', 'google.protobuf', 'requests', 'app.server.traces.'))])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip().splitlines()[-1] == "['app.server.traces.start']"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_missing_packages_are_one_sentence(
    workers: str, tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    ended = run(traces="true", models_dir=str(tiny_models), port="0", workers=workers)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "hourglass: HOURGLASS_TRACES needs packages that are not installed: "
        "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http\n"
    )


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin", "expected otlp or none, got 'zipkin'"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "expected http/protobuf, got 'grpc'"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "expected http/protobuf, got 'http/json'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "such as http://localhost:4318, got 'collector:4318'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:99999", "got 'http://a:99999'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://a:4317", "got 'grpc://a:4317'"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", "got 'http://'"),
        ("OTEL_PROPAGATORS", "tracecontext,b3", "expected tracecontext, baggage or none, got 'b3'"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many", "traces cannot be exported: invalid literal"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", "traces cannot be exported: max_export_batch_size must be"),
    ],
)
def test_a_wrong_variable_is_named_at_the_start(
    name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartupError) as caught:
        start_traces(True, "1")
    assert message in str(caught.value)
    assert str(caught.value).startswith((name, "traces cannot be exported"))


@pytest.mark.parametrize("value", ["tracecontext,baggage", "none", "None", "tracecontext, baggage"])
def test_installed_propagators_are_taken(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", value)
    check_traces(True)
    assert os.environ["OTEL_PROPAGATORS"] == value


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_a_variable_of_opentelemetry_can_turn_traces_off(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")  # of others, in a cluster that sets it for all
    check_traces(True)
    assert start_traces(True, "1") is None


def test_without_traces_propagators_that_are_not_installed_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")
    assert start_traces(False, "1") is None
    assert "OTEL_PROPAGATORS" not in os.environ
