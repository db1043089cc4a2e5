"""The facts about a request that its metrics, its line in the log and the budget need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from app.server.budget import Budget
from app.server.metrics import NO_PARTS, Parts

if TYPE_CHECKING:
    from app.server.traces.spans import RequestSpan


class Model(Protocol):
    """The name and the version of a model, such as its manifest."""

    @property
    def name(self) -> str:
        """The name that the model is served by."""

    @property
    def version(self) -> int:
        """The number of its version."""


class RequestFacts:
    """
    The facts about one request.

    Endpoints add what they find out to `route`, `task`, `model`, `rows` and `bytes_in`, for the metrics and the log.
    """

    budget: Budget
    request_id: bytes
    route: str | None = None
    """The template of the path, such as `/v1/models/{model}/encode`; None until it is known."""
    task: str | None = None
    """The task, which is empty until it is known; None if the route has none."""
    model: Model | None = None
    rows: int = 0
    """Rows of the request or, if the task takes none, of its answer."""
    key: str | None = None
    """The name of the API key, if there are keys."""
    bytes_in: int = 0
    """Bytes of the body as sent, if no header announces them."""
    bytes_out: int = 0
    """Bytes of the answer's body."""
    extra_headers: Sequence[tuple[bytes, bytes]] = ()
    """More headers of the answer, whatever its status."""
    started = False
    """True once the answer has begun."""
    status: int = 0
    """The status of the answer; 0 before it has begun."""
    error_code: str | None = None
    parts: Parts = NO_PARTS
    """The seconds of each part, once the answer has begun."""
    span: RequestSpan | None = None
    """The request's span, if traces are on."""
    held: int = 0
    """The bytes that the request holds: what has come of its body, then its rows, then its answer."""

    def hold(self, count: int) -> None:
        """Hold this many bytes in place of those before. Raises Overloaded if they are more and do not fit."""
        self.budget.change(self.held, count)
        self.held = count

    def hold_more(self, count: int) -> None:
        """Hold more bytes, or fewer, also beyond the limit: those of an answer that has begun."""
        self.budget.add(count)
        self.held += count
