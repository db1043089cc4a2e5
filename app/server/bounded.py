"""
The bounds of connections on uvicorn: what they wait for, what they hold, and how they are refused.

Like `app.server.connection`, this file knows its insides, as of 0.54.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import ServiceError
from app.server.budget import Budget
from app.server.cycle import Cycle
from app.server.ids import new_request_id
from app.server.limits import ConnectionLimits, ConnectionWatch, Phase, reset_on_close, unsent_bytes
from app.server.problems import problem_application, problem_bytes
from app.server.refusals import REFUSAL, Refusal, RequestTimeout

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

UNREFUSED_BYTES = 4096
"""A connection that holds no more is never refused, so that probes are answered even if they come in pieces."""
MAX_LINGER_BYTES = 1024 * 1024
"""Bytes that are read and dropped after a refusal."""


class BoundedConnection(HttpToolsProtocol):
    """A connection that can expire and be refused."""

    cycle: Cycle
    pipeline: deque[tuple[Cycle, ASGI3Application]]  # type: ignore[assignment]
    watch: ConnectionWatch
    limits: ConnectionLimits
    refused = False
    """True once a request was refused: whatever follows is dropped."""
    head_bytes_left: int
    """Bytes in which the current head must end; or, within a body, the line of a chunk or the trailers."""
    budget: Budget
    held = 0
    """The bytes that the budget counts for what waits here: part of a head, the pipeline, a small unread answer."""
    queued = 0
    """The bytes of the requests in the pipeline."""
    unparsed = b""
    """Data that waits until the pipeline is shorter."""

    def progress(self) -> tuple[Phase, object]:
        """Return what the connection waits for, and a mark that differs after any progress."""
        unread, cycle = self.transport.get_write_buffer_size(), self.cycle
        if unread or self.held:
            self.count_held(may_refuse=False)
        encrypted = self.scheme == "https"  # such a transport does not say what it has given to the one below it
        unsent = unsent_bytes(self.transport.get_extra_info("socket")) if unread or encrypted else 0
        if unread or unsent or self.transport.is_closing():
            return Phase.ANSWER, unread + unsent
        if self.refused:
            return (Phase.OTHER if self.owes_answer() else Phase.REFUSED), None
        if cycle is None or cycle.scope is not self.scope:
            return Phase.HEAD, cycle
        if cycle.more_body and not self.flow.read_paused:
            return Phase.BODY, cycle
        return (Phase.IDLE if cycle.response_complete else Phase.OTHER), cycle

    def count_held(self, *, may_refuse: bool) -> None:
        """Count in the budget what waits here. Raises Overloaded if that may be refused, and is too much."""
        size = self.queued + len(self.unparsed) + min(self.transport.get_write_buffer_size(), HIGH_WATER_LIMIT)
        if not self.refused:
            size += self.limits.max_head_bytes - self.head_bytes_left
        if may_refuse and size > UNREFUSED_BYTES:
            self.budget.change(self.held, size)
        else:
            self.budget.add(size - self.held)
        self.held = size

    def expire(self, phase: Phase) -> None:
        """End the connection, with a problem document if that is still possible."""
        in_head = self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)
        if phase is Phase.HEAD and in_head:
            self.refuse(RequestTimeout(f"expected a whole head within {self.limits.head_seconds:g} s"))
        elif phase is Phase.BODY and not self.cycle.response_complete:
            self.refuse(RequestTimeout(f"expected a whole body within {self.limits.body_seconds:g} s"))
        elif phase is Phase.ANSWER:
            self.reset()
        elif phase is Phase.REFUSED:
            self.transport.abort()
        else:
            self.transport.close()

    def refuse(self, error: ServiceError) -> None:
        """
        Answer with a problem document and close: nothing that follows can be understood.

        If earlier requests wait for their answers, the connection ends with the last of those instead.
        """
        self.refused = True
        method = self.parser.get_method().decode("latin-1") if self.url else ""
        refusal = Refusal(error, new_request_id(), method, self.url.partition(b"?")[0].decode("latin-1"))
        cycle = self.cycle
        if self.owes_answer():
            if self.pipeline or not cycle.more_body:
                cycle.keep_alive = False
                if self.pipeline and cycle.more_body:
                    self.pipeline[0] = (cycle, problem_application(error, refusal.request_id))  # type: ignore[assignment]
                    self.watch.on_refusal(refusal)
                return None
            cycle.scope[REFUSAL] = refusal  # type: ignore[literal-required]  # the gate counts it with the request
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                return self.reset()
        else:
            self.watch.on_refusal(refusal)
        self.flow.resume_reading()
        self.transport.write(problem_bytes(error, refusal.request_id, self.server_state.default_headers))
        lingers = self.transport.can_write_eof() and self.watch.may_linger(self)
        self.transport.write_eof() if lingers else self.transport.close()
        return None

    def reset(self) -> None:
        """Close without sending what the client did not read, so that the kernel frees it, too."""
        reset_on_close(self.transport.get_extra_info("socket"))
        self.transport.abort()

    def drop(self, data: bytes) -> None:
        """Ignore what follows a refusal, up to a limit."""
        if self.owes_answer():
            return self.flow.pause_reading()
        self.head_bytes_left -= len(data)
        if self.head_bytes_left < -MAX_LINGER_BYTES:
            self.transport.abort()
        return None

    def is_answering(self) -> bool:
        """Return True if a request has arrived and its answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def owes_answer(self) -> bool:
        """Return True if a request has arrived, its answer is not complete, and the client can still get it."""
        return self.is_answering() and not self.cycle.disconnected
