"""What the reader found, for people, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 10
"""Names of columns and classes that are listed; the rest is counted."""


@dataclass(frozen=True)
class Findings:
    """Counts over all rows of all parts, as they were read."""

    rows: int = 0
    kind: str = "vector"
    shape: tuple[int, ...] = ()
    """Of one sample."""
    dtype: str = ""
    """Of the file."""
    low: float = 0.0
    """The least value, in the user's units."""
    high: float = 0.0
    constant: tuple[str, ...] = ()
    """The columns, or pixels, that have one value in all rows."""
    duplicates: int = 0
    """Rows that repeat an earlier one."""
    dropped: int = 0
    """Rows left out of training and validation, since they stand in the data's own test part."""
    clipped: int = 0
    """Numbers of validation and test images that lay beyond the training images' range, and were moved to its ends."""
    class_counts: dict[str, int] = field(default_factory=dict)
    parts: tuple[int, int, int] = (0, 0, 0)
    """Rows to train on, to validate on, to test on."""

    def describe(self) -> str:
        """Aligned lines, without a newline at the end."""
        train, validation, test = self.parts
        lines = {
            "rows": f"{self.rows}, each {self._sample()}, {self.dtype}",
            "range": f"{self.low:g} to {self.high:g}",
            "missing": "0 values",  # the reader refuses data with missing values
            "constant": self._constant(),
            "duplicates": f"{self.duplicates} rows that repeat an earlier one",
            "dropped": f"{self.dropped} rows that stand in the test part too" if self.dropped else "",
            "clipped": f"{self.clipped} numbers beyond the training part's range" if self.clipped else "",
            "classes": self._classes(),
            "split": f"{train} training, {validation} validation, {test} test",
        }
        return "\n".join(f"{name:<12}{text}" for name, text in lines.items() if text)

    def _sample(self) -> str:
        if self.kind == "image":
            channels, height, width = self.shape
            return f"an image of {height}x{width} pixels, {'grey' if channels == 1 else 'RGB'}"
        return f"a vector of {self.shape[0] if self.shape else 0} numbers"

    def _constant(self) -> str:
        if self.kind == "image":
            return f"{len(self.constant)} pixels"
        return f"{len(self.constant)} columns" + _listed(self.constant)

    def _classes(self) -> str:
        counted = tuple(f"{name} {count}" for name, count in self.class_counts.items())
        return f"{len(counted)}{_listed(counted)}" if counted else "no labels"


def _listed(names: tuple[str, ...]) -> str:
    """`: a, b and 3 more`; nothing for no names."""
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f": {', '.join(names[:SHOWN])}{more}"
