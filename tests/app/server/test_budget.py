"""The budget of bytes: its counts, and what a real server does with floods that exceed it."""

from __future__ import annotations

import gzip
import io
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pytest

from app.errors import Overloaded
from app.server.budget import FALL_BYTES, SWEEPS_AFTER_FALL, Budget
from tests.helpers.floods import PeakMemory, flood, request, statuses
from tests.helpers.metrics import scrape
from tests.helpers.process import serving
from tests.helpers.wire import connect, read_answers

MEBIBYTE = 1024 * 1024
BODY, DECOMPRESSED, LIMIT = 2 * MEBIBYTE, 6 * MEBIBYTE, 16 * MEBIBYTE
ENCODE = "/v1/models/tiny-vae/encode"
JSON_TYPE, NPY_TYPE = "Content-Type: application/json", "Content-Type: application/x-npy"
CHUNKED = f"POST {ENCODE} HTTP/1.1\r\nHost: here\r\n{JSON_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
BOMB = gzip.compress(b" " * DECOMPRESSED)
ANSWER_ROWS = 100_000
"""Rows of 4 numbers, whose answer in JSON has 5 MB and is counted as 6.4 MB before it is made."""
GENERATE = request(f"/v1/models/tiny-vae/generate?count={ANSWER_ROWS}&seed=1")


def npy(rows: int) -> bytes:
    """Return a .npy file of rows for the tiny models."""
    stream = io.BytesIO()
    np.save(stream, np.full((rows, 4), 0.5, np.float32))
    return stream.getvalue()


ROWS = npy(BODY // 16 - 8)
HALF = {
    "with a length": request(ENCODE, b"a" * (BODY - 1), JSON_TYPE, length=BODY),
    "in chunks": CHUNKED + (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 30,
}
BOMBS = {
    "v1": request(ENCODE, BOMB, JSON_TYPE, "Content-Encoding: gzip"),
    "a form": request(ENCODE, BOMB, "Content-Type: multipart/form-data; boundary=a", "Content-Encoding: gzip"),
    "no input": request("/v1/models/tiny-vae/generate", gzip.compress(b"a" * DECOMPRESSED), "Content-Encoding: gzip"),
    "v2": request("/v2/models/tiny-vae.encode/infer", BOMB, "Content-Encoding: gzip"),
    "index": request("/v2/repository/index", gzip.compress(b"a" * DECOMPRESSED), "Content-Encoding: gzip"),
}


class Server(NamedTuple):
    """A server with a budget of 16 MiB."""

    process: subprocess.Popen[str]
    address: str

    def held(self) -> float:
        """Return the bytes that it holds."""
        return scrape(self.address)["hourglass_held_bytes"]

    def until(self, holds: Callable[[float], bool]) -> None:
        """Wait until the bytes that it holds are as wanted."""
        deadline = time.monotonic() + 30
        while not holds(held := self.held()):
            assert time.monotonic() < deadline, f"it holds {held}"
            time.sleep(0.02)

    def is_whole(self) -> None:
        """Check that nothing is held any more, and that the largest body is answered."""
        self.until(lambda held: held == 0)
        headers = {"content-type": "application/x-npy", "accept": "application/x-npy"}
        answer = httpx.post(f"{self.address}{ENCODE}", content=ROWS, headers=headers, timeout=30)
        assert answer.status_code == 200


@pytest.fixture(scope="module")
def server(tiny_models: Path) -> Iterator[Server]:
    """Start the server."""
    sizes = {"max_held_bytes": LIMIT, "max_body_bytes": BODY, "max_decompressed_bytes": DECOMPRESSED}
    rows = {"max_rows": 10**6, "max_queued_rows": 10**7, "threads": 2}
    settings = {name: str(value) for name, value in {**sizes, **rows}.items()}
    with serving(models_dir=str(tiny_models), write_seconds="2", body_seconds="4", **settings) as (process, address, _):
        yield Server(process, address)


def test_an_amount_replaces_the_one_before() -> None:
    budget = Budget(100)
    budget.change(0, 60)
    budget.change(60, 20)
    budget.change(0, 80)
    assert budget.total == 100
    with pytest.raises(Overloaded) as refused:
        budget.change(20, 21)
    assert (budget.total, refused.value.headers["Retry-After"]) == (100, "1")
    budget.change(20, 0)
    budget.change(80, 0)
    assert budget.total == 0


def test_whoever_is_alone_gets_more_than_the_limit() -> None:
    budget = Budget(100)
    budget.change(0, 500)
    budget.change(500, 900)
    with pytest.raises(Overloaded):
        budget.change(0, 1)
    budget.change(900, 400)
    assert budget.total == 400


def test_a_check_counts_nothing() -> None:
    budget = Budget(100)
    budget.check(500)
    budget.change(0, 40)
    budget.check(60)
    with pytest.raises(Overloaded):
        budget.check(61)
    assert budget.total == 40


def test_bytes_that_cannot_be_refused_are_counted_beyond_the_limit() -> None:
    budget = Budget(100)
    budget.add(150)
    with pytest.raises(Overloaded):
        budget.check(1)
    budget.add(-150)
    assert budget.total == 0


def test_threads_share_what_they_decompress() -> None:
    budget, refused = Budget(1000), []
    budget.change(0, 100)

    def decompress() -> None:
        try:
            with budget.decompressing() as decompression:
                for _ in range(100):
                    decompression.add(10)
        except Overloaded as error:
            refused.append(error)

    threads = [threading.Thread(target=decompress) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (budget.total, len(refused)) == (100, 8)  # 100 and 1000 are more than 1000
    budget.change(100, 0)
    with budget.decompressing() as decompression:
        decompression.add(1000)
        assert budget.total == 1000
    assert budget.total == 0


def test_memory_goes_back_to_the_system_after_a_fall() -> None:
    given_back = threading.Semaphore(0)
    budget = Budget(100 * MEBIBYTE, given_back.release)
    budget.change(0, FALL_BYTES + 1)
    assert budget.sweep()
    assert not given_back.acquire(blocking=False)
    budget.change(FALL_BYTES + 1, 0)
    assert [budget.sweep() for _ in range(SWEEPS_AFTER_FALL + 1)] == [True, False, False]
    for _ in range(SWEEPS_AFTER_FALL):
        assert given_back.acquire(timeout=10)
    assert not given_back.acquire(timeout=0.05)


@pytest.mark.parametrize("kind", HALF)
def test_bodies_that_do_not_end_are_bounded_together(server: Server, kind: str) -> None:
    with flood(server.address, HALF[kind], 24) as clients:
        server.until(lambda held: held > LIMIT - BODY)
        assert server.held() <= LIMIT
        for path in ("/livez", "/readyz"):
            assert httpx.get(server.address + path).status_code == 200
        answers = clients.read(1)
    assert statuses(answers)[503] >= 16
    for answer in answers:
        if answer is not None:
            assert answer.problem()["code"] == "overloaded"
            assert answer.headers["retry-after"] == "1"
    server.is_whole()


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_bounded_together(server: Server, kind: str) -> None:
    memory = PeakMemory(server.process.pid)
    before = memory.now
    with flood(server.address, BOMBS[kind], 32) as clients:
        found = set(statuses(clients.read()))
    assert found <= {400, 422, 503, 504}
    assert found & {400, 422}
    assert memory.peak - before < 100
    server.is_whole()


def test_a_flood_of_whole_bodies_is_refused_or_answered(server: Server) -> None:
    with flood(server.address, request("/v1/models/tiny-vae/reconstruct", ROWS, NPY_TYPE), 32) as clients:
        found = statuses(clients.read())
    assert set(found) <= {200, 503}
    assert found[200] > 0
    server.is_whole()


def test_answers_that_nobody_reads_are_bounded_and_end(server: Server) -> None:
    with flood(server.address, GENERATE, 16, receive_buffer=4096) as clients:
        server.until(lambda held: held > 4 * MEBIBYTE)
        assert server.held() <= LIMIT
        assert httpx.get(f"{server.address}/readyz").status_code == 200
        server.until(lambda held: held == 0)  # they are reset after HOURGLASS_WRITE_SECONDS
        assert statuses(clients.read())[503] > 0
    server.is_whole()


def test_slow_readers_get_all_of_their_answers(server: Server) -> None:
    expected = httpx.post(f"{server.address}/v1/models/tiny-vae/generate?count={ANSWER_ROWS}&seed=1").content
    with flood(server.address, GENERATE, 2, receive_buffer=4096) as clients:
        server.until(lambda held: held > 0)
        for sock in clients.sockets:
            content = b""
            while len(content) < len(expected) // 4:  # slowly at first
                content += sock.recv(2048)
            assert server.held() >= len(expected)
            while b"\r\n\r\n" not in content or len(content.partition(b"\r\n\r\n")[2]) < len(expected):
                content += sock.recv(1 << 20)
            assert content.partition(b"\r\n\r\n")[2] == expected
    server.is_whole()


def test_a_client_that_disconnects_gives_its_bytes_back(server: Server) -> None:
    for content in (HALF["with a length"], HALF["in chunks"], GENERATE, request(ENCODE, ROWS, NPY_TYPE)):
        with flood(server.address, content, 4):
            pass
        server.is_whole()


def test_a_body_that_is_too_slow_gives_its_bytes_back(server: Server) -> None:
    with flood(server.address, HALF["with a length"], 1) as clients:
        server.until(lambda held: held == BODY - 1)
        [answer] = clients.read()
        assert answer is not None
        assert answer.status == 408
        server.is_whole()


def test_a_request_alone_may_have_a_larger_answer_than_the_limit(server: Server) -> None:
    answer = httpx.post(f"{server.address}/v1/models/tiny-vae/generate?count=400000", timeout=60)
    assert (answer.status_code, len(answer.content) > LIMIT) == (200, True)
    server.is_whole()


def test_pipelined_bodies_are_counted_while_they_wait(server: Server) -> None:
    body = request(ENCODE, b"a" * 60_000, JSON_TYPE)
    with connect(server.address, receive_buffer=4096) as sock:
        sock.sendall(GENERATE + body * 3)
        server.until(lambda held: held > 120_000)
        answers = read_answers(sock, 4)
    assert [answer.status for answer in answers] == [200, 400, 400, 400]
    server.is_whole()


def test_half_of_a_head_is_counted(server: Server) -> None:
    with connect(server.address) as sock:
        sock.sendall(b"GET /livez HTTP/1.1\r\nHost: here\r\nPadding: " + b"a" * 20_000)
        server.until(lambda held: held > 20_000)
        sock.sendall(b"\r\n\r\n")
        assert read_answers(sock, 1)[0].status == 200
        server.until(lambda held: held == 0)


def test_memory_stays_near_the_budget_and_goes_back(tiny_models: Path) -> None:
    half = request(ENCODE, b"a" * (8 * MEBIBYTE - 1), JSON_TYPE, length=8 * MEBIBYTE)
    first = request("/v1/models/tiny-vae/generate?count=20000")
    queued = first + request(ENCODE, b"a" * 3000, JSON_TYPE) * 100
    sizes = {"max_held_bytes": str(100 * MEBIBYTE), "max_rows": "200000", "max_queued_rows": "10000000"}
    with serving(models_dir=str(tiny_models), **sizes) as (process, address, _):
        server, memory = Server(process, address), PeakMemory(process.pid)
        server.until(lambda held: held == 0)  # FastAPI is loaded then
        before = memory.now
        for content, count in ((half, 32), (queued, 40)):
            with flood(address, content, count, receive_buffer=4096):
                server.until(lambda held: held > 8 * MEBIBYTE)
        server.until(lambda held: held == 0)
        deadline = time.monotonic() + 20
        while memory.now - before > 30:
            assert time.monotonic() < deadline, f"{memory.now - before} MiB are not given back"
            time.sleep(0.05)
        assert memory.peak - before < 200


def test_a_drain_ends_although_answers_are_unread(tiny_models: Path) -> None:
    with serving(models_dir=str(tiny_models), max_rows="1000000", shutdown_seconds="1") as (process, address, _):
        held = Server(process, address)
        with flood(address, GENERATE, 2, receive_buffer=4096):
            held.until(lambda count: count > 0)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
