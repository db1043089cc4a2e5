"""The reading of the tensors of one request from shared memory, which HTTP and gRPC share."""

from __future__ import annotations

from app.api.state import State
from app.errors import BodyTooLarge
from app.formats.shared_memory import ReadShared, Span


def shared_reader(state: State) -> ReadShared:
    """
    Return the function that reads the tensors of one request.

    It raises BodyTooLarge if they have more bytes in total than a body may, Overloaded beyond the budget, and what
    `Regions.read` raises.
    """
    limit, total = state.settings.max_body_bytes, 0

    def read(span: Span) -> bytes:
        nonlocal total
        total += span.byte_size
        if total > limit:
            raise BodyTooLarge(f"expected tensors of at most {limit} bytes in shared memory, got {total}")
        with state.budget.decompressing() as held:
            return state.regions.read(span, held.add)

    return read
