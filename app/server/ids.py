"""Request ids."""

from __future__ import annotations

import itertools
import secrets

_PATTERN = secrets.token_hex(6).encode() + b"-%x"
"""The process's own letters, and a number."""

new_request_id = map(_PATTERN.__mod__, itertools.count(1)).__next__
"""Returns an id that no other request of any process has."""
