"""Sockets are bound before they listen, and refuse new connections before they are closed."""

from __future__ import annotations

import socket

import pytest

from app.errors import StartupError
from app.serving.listener import bind, is_readable, listen_error, refuse_new_connections, url


def test_a_bound_port_refuses_connections_until_it_listens() -> None:
    (listener,) = bind("127.0.0.1", 0)
    with listener:
        address = listener.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        listener.listen()
        socket.create_connection(address).close()


def test_every_address_of_a_host_has_the_same_free_port() -> None:
    listeners = bind("localhost", 0)
    assert len({listener.getsockname()[1] for listener in listeners}) == 1
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "no such host", "203.0.113.1"])
def test_an_address_that_cannot_be_bound_is_named(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=f"cannot listen on {host} port {port}: "):
            bind(host, port)


def test_the_error_names_the_settings() -> None:
    error = listen_error("::1", 80, PermissionError(13, "Permission denied"))
    assert str(error) == "cannot listen on ::1 port 80: Permission denied; HOURGLASS_HOST and HOURGLASS_PORT set both"


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_the_url_has_the_real_port(host: str, shown: str) -> None:
    listeners = bind("127.0.0.1", 0)
    assert url("https", host, listeners) == f"https://{shown}:{listeners[0].getsockname()[1]}"
    listeners[0].close()


def test_accepted_connections_survive_the_refusal_of_new_ones() -> None:
    (listener,) = bind("127.0.0.1", 0)
    with listener:
        listener.listen()
        assert not is_readable(listener)
        with socket.create_connection(listener.getsockname()) as waiting:
            waiting.sendall(b"question")
            refuse_new_connections([listener])
            with pytest.raises(TimeoutError):
                socket.create_connection(listener.getsockname(), timeout=0.2)
            assert is_readable(listener)
            accepted, _ = listener.accept()
            with accepted:
                assert accepted.recv(100) == b"question"
                accepted.sendall(b"answer")
            assert waiting.recv(100) == b"answer"
        assert not is_readable(listener)
