"""A Unix socket takes the place of host and port, and of the file of a dead process."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.errors import StartupError
from app.serving.unix_socket import UnixSocket
from tests.helpers.load import PROBE, READY, UNIX_SOCKET, Load, ask
from tests.helpers.process import run, serving


@pytest.fixture
def path() -> Iterator[Path]:
    """Give a path that is short enough for a socket."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "hourglass.sock"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_under_load_loses_no_request(tiny_models: Path, path: Path, workers: str) -> None:
    settings = {"models_dir": str(tiny_models), "workers": workers, "drain_seconds": "0.3"}
    with serving("--uds", str(path), **settings) as (process, address, lines):
        assert address == f"{UNIX_SOCKET}{path}"
        outcomes = Load(address).end(process)
    assert outcomes["lost"] == 0
    assert set(outcomes) - {"lost"} == {"200"}
    assert "Traceback" not in "".join(lines)
    assert list(path.parent.iterdir()) == []


def test_a_draining_server_is_reached_until_the_drain_ends(tiny_models: Path, path: Path) -> None:
    with serving(uds=str(path), models_dir=str(tiny_models), drain_seconds="60") as (process, address, _):
        process.send_signal(signal.SIGTERM)
        while ask(address, READY)[0].startswith(b"http/1.1 200"):
            pass
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")
        assert path.exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert not path.exists()


def test_a_live_socket_is_refused_and_that_of_a_killed_server_is_replaced(tiny_models: Path, path: Path) -> None:
    settings = {"uds": str(path), "models_dir": str(tiny_models)}
    with serving(**settings) as (process, address, _):
        second = run("serve", **settings)
        assert second.returncode == 1
        assert "another server listens there; HOURGLASS_UDS sets it" in second.stderr.splitlines()[-1]
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")
        process.kill()
        process.wait()
    assert path.exists()
    with serving(**settings) as (_, address, _):
        assert ask(address, PROBE)[0].startswith(b"http/1.1 200")


def test_a_proxy_on_a_socket_may_pass_on_its_public_name(tiny_models: Path, path: Path) -> None:
    with serving(uds=str(path), models_dir=str(tiny_models)) as (_, address, _):
        request = b"GET /v2 HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
        assert ask(address, request)[0].startswith(b"http/1.1 200")


def test_a_server_that_starts_holds_its_socket(path: Path) -> None:
    first = UnixSocket(path)
    with pytest.raises(StartupError, match="another server listens there"):
        UnixSocket(path)
    first.remove()
    first.listener.close()
    second = UnixSocket(path)
    first.remove()  # a second time
    assert path.exists()
    second.remove()
    second.listener.close()


def test_the_socket_of_another_program_is_refused(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(StartupError, match="another server listens there"):
            UnixSocket(path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_file_that_is_not_a_socket_stays(path: Path) -> None:
    path.write_text("notes")
    with pytest.raises(StartupError, match="the file is not a socket"):
        UnixSocket(path)
    assert path.read_text() == "notes"


@pytest.mark.parametrize(
    ("name", "reason"), [("missing/socket", "No such file or directory"), ("x" * 120, "path too long")]
)
def test_a_path_that_cannot_be_bound_is_named(path: Path, name: str, reason: str) -> None:
    with pytest.raises(StartupError, match=f"cannot listen on .*{name}: .*{reason}"):
        UnixSocket(path.parent / name)


def test_everyone_may_connect_who_may_enter_the_folder(path: Path) -> None:
    before = os.umask(0o077)
    try:
        with ExitStack() as stack:
            unix_socket = UnixSocket(path)
            stack.callback(unix_socket.listener.close)
            stack.callback(unix_socket.remove)
            assert path.stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


def test_an_accepted_connection_survives_the_removal(path: Path) -> None:
    unix_socket = UnixSocket(path)
    with unix_socket.listener as listener, socket.socket(socket.AF_UNIX) as client:
        listener.listen()
        client.connect(str(path))
        unix_socket.remove()
        with pytest.raises(FileNotFoundError), socket.socket(socket.AF_UNIX) as late:
            late.connect(str(path))
        accepted, _ = listener.accept()
        with accepted:
            client.sendall(b"question")
            assert accepted.recv(100) == b"question"


def test_the_lock_of_a_killed_server_is_taken_over(path: Path) -> None:
    path.with_name(path.name + ".lock").touch()
    unix_socket = UnixSocket(path)
    unix_socket.remove()
    unix_socket.listener.close()
    assert list(path.parent.iterdir()) == []
