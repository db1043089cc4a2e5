"""The port of gRPC is taken before models are loaded, and by one server."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import StartupError
from app.serving import grpc_port
from app.serving.grpc_port import GrpcPort
from app.settings import Settings
from tests.helpers.process import run


def test_without_grpc_no_port_is_taken() -> None:
    port = GrpcPort(Settings())
    assert port.number is None
    port.release()


def test_a_free_port_is_reserved_for_sockets_that_share_it() -> None:
    first = GrpcPort(Settings(grpc_port=0))
    assert first.number
    with pytest.raises(StartupError, match=f"port {first.number}: Address already in use.*HOURGLASS_GRPC_PORT"):
        GrpcPort(Settings(grpc_port=first.number))
    with socket.socket() as worker:
        worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        worker.bind(("127.0.0.1", first.number))
        worker.listen()
        first.release()
        with pytest.raises(StartupError, match="Address already in use"):
            GrpcPort(Settings(grpc_port=first.number))
    second = GrpcPort(Settings(grpc_port=first.number))
    second.release()


def test_every_address_of_a_host_is_reserved() -> None:
    port = GrpcPort(Settings(grpc_port=0, host="localhost"))
    with pytest.raises(StartupError):
        GrpcPort(Settings(grpc_port=port.number, host="127.0.0.1"))
    port.release()


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_port, "missing_packages", lambda extra: [extra])
    with pytest.raises(StartupError, match=r"HOURGLASS_GRPC_PORT needs packages.*pip install .*\[grpc\]"):
        GrpcPort(Settings(grpc_port=0))


def test_a_taken_port_ends_the_start_in_one_sentence(tiny_models: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("serve", models_dir=str(tiny_models), port="0", grpc_port=str(port))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    expected = f"cannot listen on 127.0.0.1 port {port}: Address already in use"
    assert line == f"hourglass: {expected}; HOURGLASS_HOST and HOURGLASS_GRPC_PORT set both"


def test_without_grpc_nothing_of_it_is_imported(tiny_models: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.main import create_process; from app.settings import Settings;"
        "import app.serving.run, app.serving.server;"
        f"create_process(Settings(models_dir=Path({str(tiny_models)!r})));"
        "print({name.split('.')[0] for name in sys.modules} & {'grpc', 'google', 'grpc_health', 'grpc_reflection'})"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"
