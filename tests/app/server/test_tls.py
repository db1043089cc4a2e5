"""A certificate that cannot be used stops the start; one that can serves both wires over TLS."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path

import httpx
import pytest

from app.errors import StartupError
from app.server.tls import check_certificate
from tests.helpers.certificates import OPENSSL, make_certificate
from tests.helpers.metrics import parse
from tests.helpers.process import run, serving

BODY = {"samples": [[0.25, 0.75, 0.5, 0]]}

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl here")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_without_a_certificate_nothing_is_checked() -> None:
    check_certificate(None, None)


def test_a_certificate_and_its_key_are_accepted_in_two_files_or_one(pair: tuple[Path, Path], tmp_path: Path) -> None:
    check_certificate(*pair)
    both = tmp_path / "both.pem"
    both.write_bytes(pair[0].read_bytes() + pair[1].read_bytes())
    check_certificate(both, None)


@pytest.mark.parametrize("damage", ["no certificate", "absent", "no key", "another key", "not PEM", "password"])
def test_an_unusable_certificate_is_refused(pair: tuple[Path, Path], tmp_path: Path, damage: str) -> None:
    certificate: Path | None
    key: Path | None
    certificate, key = pair
    if damage == "no certificate":
        certificate = None
    elif damage == "absent":
        certificate = tmp_path / "absent.pem"
    elif damage == "no key":
        key = None
    elif damage == "another key":
        _, key = make_certificate(tmp_path)
    elif damage == "not PEM":
        certificate = tmp_path / "text.pem"
        certificate.write_text("text")
    else:
        certificate, key = make_certificate(tmp_path, "-passout", "pass:secret")
    with pytest.raises(StartupError, match="HOURGLASS_SSL_"):
        check_certificate(certificate, key)


def test_both_wires_answer_over_tls(pair: tuple[Path, Path], tiny_models: Path) -> None:
    certificate, key = map(str, pair)
    trusted = ssl.create_default_context(cafile=certificate)
    with serving(models_dir=str(tiny_models), ssl_certfile=certificate, ssl_keyfile=key) as (_, address, _):
        assert address.startswith("https://")
        with httpx.Client(base_url=address, verify=trusted) as client:
            for _ in range(3):
                answer = client.post("/v1/models/tiny-ae/encode", json=BODY)
                assert (answer.status_code, len(answer.json()["latents"])) == (200, 1)
            assert client.get("/v2/models/tiny-ae.encode").status_code == 200
            assert client.get("/nowhere").status_code == 404
        with pytest.raises(httpx.TransportError):
            httpx.get(address.replace("https:", "http:") + "/livez")


def test_a_wrong_certificate_ends_the_start_in_one_sentence(tmp_path: Path, tiny_models: Path) -> None:
    ended = run(models_dir=str(tiny_models), ssl_certfile=str(tmp_path / "absent.pem"))
    assert ended.returncode == 1
    assert "HOURGLASS_SSL_CERTFILE" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_unread_answers_over_tls_are_counted_and_end(pair: tuple[Path, Path], tiny_models: Path) -> None:
    context = ssl.create_default_context(cafile=str(pair[0]))
    settings = {"ssl_certfile": str(pair[0]), "ssl_keyfile": str(pair[1]), "write_seconds": "1", "max_rows": "200000"}
    with serving(models_dir=str(tiny_models), max_queued_rows="1000000", **settings) as (_, address, log):
        host, port = address.removeprefix("https://").split(":")
        for reads in (False, True):
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(30)
            sock.connect((host, int(port)))
            with context.wrap_socket(sock, server_hostname=host) as client:
                client.sendall(b"POST /v1/models/tiny-vae/generate?count=100000 HTTP/1.1\r\nHost: a\r\n\r\n")
                content = client.recv(1)
                assert held(address, context) > 1_000_000
                while reads and not content.endswith(b"]]}"):
                    content += client.recv(1 << 16)
                deadline = time.monotonic() + 20
                while held(address, context) > 0:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
        assert not [line for line in log if "Traceback" in line]


def held(address: str, context: ssl.SSLContext) -> float:
    """Return the bytes that a server holds."""
    return parse(httpx.get(f"{address}/metrics", verify=context).text)["hourglass_held_bytes"]
