"""Request ids."""

from __future__ import annotations

import itertools
import secrets

_process = secrets.token_hex(6).encode()
_count = itertools.count(1)


def new_request_id() -> bytes:
    """Return an id that no other request of any process has."""
    return b"%s-%x" % (_process, next(_count))
