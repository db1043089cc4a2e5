"""One row of the table of faults."""

from __future__ import annotations

from dataclasses import dataclass

HEADER = "| injected | expected | seen | verdict |\n|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """A fault that was injected, and whether the server did what is expected of it."""

    injected: str
    expected: str
    seen: str
    is_expected: bool
    explanation: str = ""
    """The reason why the server does on purpose something else than the row asks for."""

    def markdown(self) -> str:
        """Return the row as a line of the table."""
        verdict = self.explanation or ("as expected" if self.is_expected else "**NOT AS EXPECTED**")
        cells = (self.injected, self.expected, self.seen, verdict)
        return "| " + " | ".join(" ".join(cell.replace("|", "/").split()) for cell in cells) + " |\n"
