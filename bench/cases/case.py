"""One situation that users meet, and the right outcome."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FLAGS = re.IGNORECASE | re.DOTALL


class Case(NamedTuple):
    """A situation, and a function that tries it."""

    id: str
    """The number of the situation among its kind, such as `1.2`."""
    situation: str
    """One line for the table."""
    run: Callable[[Path], str]
    """Tries the situation in an empty folder and returns the outcome in one line."""
    right: str
    """A regular expression that is found in a right outcome, and in no other."""

    def is_right(self, outcome: str) -> bool:
        """Return whether the outcome is right; case and line breaks do not matter."""
        return re.search(self.right, outcome, FLAGS) is not None

    def evidence(self, outcome: str) -> str:
        """Return an outcome up to the end of what makes it right, or a wrong one in full."""
        match = re.search(self.right, outcome, FLAGS)
        return outcome[: match.end()] if match and match.end() else outcome
