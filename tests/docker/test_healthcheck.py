"""The health check finds the server whatever its port, address, protocol and process are."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from docker.healthcheck import parse_address, problem, servers

CHECK = Path(__file__).parent.parent.parent / "docker" / "healthcheck.py"


class Server(threading.Thread):
    """A server that sends the same answer to everyone."""

    def __init__(self, answer: bytes, family: socket.AddressFamily = socket.AF_INET) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), family=family)
        self.answer = answer
        self.context: ssl.SSLContext | None = None
        self.requests: list[bytes] = []

    @property
    def port(self) -> int:
        """Return the port."""
        number: int = self.listener.getsockname()[1]
        return number

    def run(self) -> None:
        """Answer until the listener is closed."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(connection, server_side=True) if self.context else connection as stream:
                    self.requests.append(stream.recv(1000))
                    stream.sendall(self.answer)
            except OSError:  # a client without TLS
                continue


@pytest.fixture
def processes(tmp_path: Path) -> Path:
    """Return a folder like /proc, in which process 1 is this one, and no socket listens."""
    (tmp_path / "self" / "net").mkdir(parents=True)
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "fd").symlink_to("/proc/self/fd")
    (tmp_path / "2").mkdir()  # a process of another user, whose files cannot be listed
    show(tmp_path)
    return tmp_path


def show(processes: Path, *shown: Server) -> None:
    """Let a folder like /proc list only the sockets of some servers."""
    inodes = {str(os.fstat(server.listener.fileno()).st_ino) for server in shown}
    for name in ("tcp", "tcp6"):
        heading, *lines = Path("/proc/self/net", name).read_text().splitlines()
        listed = [line for line in lines if line.split()[9] in inodes]
        (processes / "self" / "net" / name).write_text("\n".join([heading, *listed]) + "\n")


@pytest.fixture
def ready() -> Iterator[Server]:
    """Run a server that is ready."""
    server = Server(b"HTTP/1.1 200 OK\r\n\r\n")
    server.start()
    yield server
    server.listener.close()


def test_addresses_are_read_as_the_kernel_writes_them() -> None:
    assert parse_address(socket.AF_INET, "0100007F:1F40") == (socket.AF_INET, "127.0.0.1", 8000)
    assert parse_address(socket.AF_INET, "00000000:2328") == (socket.AF_INET, "127.0.0.1", 9000)
    assert parse_address(socket.AF_INET6, f"{'0' * 32}:0050") == (socket.AF_INET6, "::1", 80)
    assert parse_address(socket.AF_INET6, "B80D0120000000000000000001000000:0050") == (
        socket.AF_INET6,
        "2001:db8::1",
        80,
    )


def test_a_server_that_is_ready_is_healthy_on_any_port(ready: Server, processes: Path) -> None:
    show(processes, ready)
    assert list(servers(str(processes))) == [(socket.AF_INET, "127.0.0.1", ready.port)]
    assert problem(str(processes)) == ""
    assert ready.requests[0].startswith(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n")


def test_only_sockets_that_listen_are_asked(ready: Server, processes: Path) -> None:
    with socket.create_connection(("127.0.0.1", ready.port)):
        for name in ("tcp", "tcp6"):
            (processes / "self" / "net" / name).write_text(Path("/proc/self/net", name).read_text())
        assert {port for _, _, port in servers(str(processes))} == {ready.port}


def test_a_server_on_a_unix_socket_is_found(processes: Path) -> None:
    with TemporaryDirectory() as folder:
        server = Server(b"HTTP/1.1 200 OK\r\n\r\n")
        server.listener.close()
        path = f"{folder}/hour glass.sock"
        server.listener = socket.socket(socket.AF_UNIX)
        server.listener.bind(path)
        server.listener.listen()
        server.start()
        heading, *lines = Path("/proc/self/net/unix").read_text().splitlines()
        listed = [line for line in lines if line.endswith((path, "@abstract"))]
        (processes / "self" / "net" / "unix").write_text("\n".join([heading, *listed]) + "\n")
        assert list(servers(str(processes))) == [(socket.AF_UNIX, path, 0)]
        assert problem(str(processes)) == ""
        server.listener.close()


def test_a_server_on_ipv6_is_found(processes: Path) -> None:
    server = Server(b"HTTP/1.1 200 OK\r\n\r\n", socket.AF_INET6)
    server.start()
    show(processes, server)
    assert problem(str(processes)) == ""
    server.listener.close()


def test_a_server_that_is_not_ready_is_named_with_its_answer(processes: Path) -> None:
    server = Server(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    server.start()
    show(processes, server)
    assert problem(str(processes)) == f"127.0.0.1 port {server.port}: HTTP/1.1 503 Service Unavailable"
    server.listener.close()


def test_nothing_that_listens_is_a_problem(processes: Path) -> None:
    assert problem(str(processes)) == "no process listens"


def test_a_socket_of_another_process_is_not_asked(ready: Server, processes: Path) -> None:
    show(processes, ready)
    (processes / "1" / "fd").unlink()
    (processes / "1" / "fd").mkdir()
    assert problem(str(processes)) == "no process listens"
    assert ready.requests == []


def test_another_server_of_the_user_does_not_hide_the_one_that_is_ready(ready: Server, processes: Path) -> None:
    other = Server(b"SSH-2.0-other\r\n")
    other.start()
    show(processes, other, ready)
    assert problem(str(processes)) == ""
    other.listener.close()


def test_a_server_with_a_certificate_is_asked_over_tls(processes: Path, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=elsewhere"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    server = Server(b"HTTP/1.1 200 OK\r\n\r\n")
    server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.context.load_cert_chain(certificate, key)
    server.start()
    show(processes, server)
    assert problem(str(processes)) == ""
    server.listener.close()


def test_the_program_starts_without_the_environment_and_imports_little() -> None:
    program = (
        f"import sys; sys.argv = ['x']; exec(open({str(CHECK)!r}).read(), {{'__name__': 'x'}}); print(*sys.modules)"
    )
    modules = subprocess.check_output([sys.executable, "-IS", "-c", program], text=True).split()
    assert {"ssl", "pathlib", "typing", "urllib", "http", "asyncio"} & set(modules) == set()
