"""
Mixed requests from many clients, each outcome told apart: an answer, a refusal, or a request that was lost.

A request is lost if it was written whole on an open connection that the server had not closed, and no whole answer
came.
"""

from __future__ import annotations

import asyncio
import io
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from bench.serving.loads import rows_as_json, rows_as_npy

LOST_NEW, LOST_KEPT, CUT, TIMEOUT = "lost on a new connection", "lost on a kept connection", "cut off", "timeout"
REFUSED = "refused"
LOST = (LOST_NEW, LOST_KEPT, CUT, TIMEOUT)
ANSWER_SECONDS = 60.0
RETRY_SECONDS = 0.005
JSON_TYPE, NPY_TYPE, PNG_TYPE = "application/json", "application/x-npy", "image/png"


@dataclass(frozen=True)
class Question:
    """A request as bytes, and the statuses that are right answers to it."""

    content: bytes
    statuses: frozenset[int] = frozenset([200])


def get(path: str, *statuses: int) -> Question:
    """Return a request without a body."""
    return Question(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), frozenset(statuses or [200]))


def post(path: str, body: bytes = b"", *statuses: int, content_type: str = "", accept: str = "") -> Question:
    """Return a request with a body."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {content_type}\r\n" if content_type else ""
    head += f"Accept: {accept}\r\n" if accept else ""
    return Question(f"{head}\r\n".encode() + body, frozenset(statuses or [200]))


def png(side: int = 28, mode: str = "L") -> bytes:
    """Return a noisy image."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def noise(rows: int, columns: int = 784) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return rows of numbers between 0 and 1."""
    return np.random.default_rng(1).random((rows, columns)).astype(np.float32)


def mixture() -> list[Question]:
    """Return requests of every task, format and wire, errors, and probes, for the bundled models."""
    path, npy = "/v1/models/mnist-", {"content_type": NPY_TYPE, "accept": NPY_TYPE}
    tensor = {"name": "samples", "shape": [2, 784], "datatype": "FP32", "data": noise(2).ravel().tolist()}
    as_json = {"content_type": JSON_TYPE}
    return [
        post(path + "ae/encode", rows_as_json("samples", noise(1)), **as_json),
        post(path + "vae/encode", rows_as_json("samples", noise(32)), **as_json),
        post(path + "vae-2d/decode", rows_as_json("latents", noise(1, 2)), **as_json),
        post(path + "vae/decode", rows_as_json("latents", noise(32, 40)), **as_json),
        post(path + "ae/reconstruct", rows_as_npy(noise(32)), **npy),
        post(path + "vae/interpolate?steps=8", rows_as_npy(noise(2)), **npy),
        post(path + "vae/generate?count=16&seed=3", accept=PNG_TYPE),
        post(path + "sdae/denoise?noise=gaussian&seed=1", png(), content_type=PNG_TYPE, accept=PNG_TYPE),
        post(path + "ae/encode", png(640, "RGB"), content_type=PNG_TYPE),
        post("/v2/models/mnist-vae.encode/infer", json.dumps({"inputs": [tensor]}).encode(), **as_json),
        post(path + "ae/encode", b'{"samples": [[1, 2]]}', 422, **as_json),
        post(path + "ae/encode", b'{"samples": [[', 400, **as_json),
        post(path + "none/encode", b"{}", 404, **as_json),
        get("/livez"),
        get("/readyz", 200, 503),  # 503 is right during a drain
        get("/v1/models"),
        get("/v2/models/stats"),
    ]


@dataclass
class Outcomes:
    """The outcomes of requests."""

    counts: Counter[str] = field(default_factory=Counter)
    """By status, `refused` or one of LOST."""
    unexpected: Counter[int] = field(default_factory=Counter)
    """Answers with a status that is not right for their request."""
    seconds: list[float] = field(default_factory=list)

    @property
    def answers(self) -> int:
        """The number of whole answers."""
        return sum(count for outcome, count in self.counts.items() if outcome.isdigit())

    @property
    def lost(self) -> int:
        """The number of lost requests."""
        return sum(self.counts[outcome] for outcome in LOST)

    @property
    def are_right(self) -> bool:
        """True if requests were answered, none was lost, and every answer had a right status."""
        return self.answers > 0 and not self.lost and not self.unexpected

    def add(self, question: Question, outcome: int | str, seconds: float) -> None:
        """Count an outcome."""
        self.counts[str(outcome)] += 1
        if isinstance(outcome, int):
            self.seconds.append(seconds)
            if outcome not in question.statuses:
                self.unexpected[outcome] += 1

    def update(self, other: Outcomes) -> None:
        """Add the outcomes of another load."""
        self.counts += other.counts
        self.unexpected += other.unexpected
        self.seconds += other.seconds

    def milliseconds(self, percentile: float) -> float:
        """Return a percentile of the times to the answers."""
        return float(np.percentile(self.seconds or [0.0], percentile)) * 1e3

    def text(self) -> str:
        """Return a summary for the table."""
        parts = [f"{self.answers} answers, {self.lost} lost"]
        parts += [f"{self.counts[name]} {name}" for name in LOST if self.counts[name]]
        parts += [f"{count} with status {status}, not expected" for status, count in sorted(self.unexpected.items())]
        return ", ".join(parts)


class Client:
    """A client with one connection after another."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname, parts.port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._answered = 0

    async def ask(self, question: Question) -> int | str:
        """Send a request, and return the status, `refused` or one of LOST."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._ask(question.content)
        except TimeoutError:
            self.close()
            return TIMEOUT

    async def _ask(self, content: bytes) -> int | str:
        if self._streams and self._streams[0].at_eof():  # the server closed the connection while it was idle
            self.close()
        if self._streams is None:
            try:
                self._streams = await asyncio.open_connection(self._host, self._port, limit=2**20)
            except OSError:
                return REFUSED
            self._answered = 0
        reader, writer = self._streams
        head = b""
        try:
            writer.write(content)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"\ncontent-length:")[2].split(b"\r", 1)[0] or 0))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            if head or getattr(error, "partial", b""):
                return CUT
            return LOST_KEPT if self._answered else LOST_NEW
        self._answered += 1
        if b"\nconnection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams:
            self._streams[1].close()
        self._streams = None


class Load:
    """
    Clients that send one request after another, on a thread of their own, until they are stopped.

    With a rate, they send that many requests a second together; with `reconnect`, each request has a connection of its
    own.
    """

    def __init__(
        self,
        address: str,
        connections: int = 16,
        *,
        rate: float = 0,
        reconnect: bool = False,
        questions: list[Question] | None = None,
    ) -> None:
        self.outcomes = Outcomes()
        self._address, self._connections, self._reconnect = address, connections, reconnect
        self._pause = connections / rate if rate else 0.0
        self._questions = questions or mixture()
        self._is_stopping = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self) -> Outcomes:
        """Let each client wait for its last answer, and return all outcomes."""
        self._is_stopping = True
        self._thread.join(ANSWER_SECONDS + 10)
        return self.outcomes

    async def _run(self) -> None:
        await asyncio.gather(*(self._work(number) for number in range(self._connections)))

    async def _work(self, number: int) -> None:
        client, choice = Client(self._address), random.Random(number)
        due = time.perf_counter() + self._pause * choice.random()
        while not self._is_stopping:
            if self._pause:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                due = max(due + self._pause * 2 * choice.random(), time.perf_counter() - self._pause)
            question, start = choice.choice(self._questions), time.perf_counter()
            outcome = await client.ask(question)
            self.outcomes.add(question, outcome, time.perf_counter() - start)
            if outcome == REFUSED:
                await asyncio.sleep(RETRY_SECONDS)
            if self._reconnect:
                client.close()
        client.close()


def run_load(address: str, seconds: float, connections: int = 16, **options: object) -> Outcomes:
    """Send requests for some seconds, and return their outcomes."""
    load = Load(address, connections, **options)  # type: ignore[arg-type]
    time.sleep(seconds)
    return load.stop()
