"""The findings in a data set's files, which are printed before training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_LISTED_NAMES = 10
"""Names of columns or classes that are listed; the rest are counted."""


@dataclass(frozen=True)
class Findings:
    """Counts over all rows of all parts, as they are in the files."""

    rows: int = 0
    kind: str = "vector"
    shape: tuple[int, ...] = ()
    """The shape of one sample."""
    window: tuple[int, ...] = ()
    """The shape of a sample before it was flattened; empty: it was flat."""
    is_kind_guessed: bool = False
    """True if an array of three axes was taken for images although its numbers are not 8-bit pixels."""
    dtype: str = ""
    """The type of the file's numbers."""
    low: float = 0.0
    """The least value, in the user's units."""
    high: float = 0.0
    """The largest value, in the user's units."""
    constant: tuple[str, ...] = ()
    """The columns, or pixels, that have the same value in all rows."""
    duplicates: int = 0
    """Rows that repeat an earlier one."""
    dropped: int = 0
    """Rows left out of a part because the data's own validation or test part has them, too."""
    clipped: int = 0
    """Numbers of validation and test images outside the training images' range, which were moved to its ends."""
    class_counts: dict[str, int] = field(default_factory=dict)
    """Rows of each class, over the parts that have labels."""
    parts: tuple[int, int, int] = (0, 0, 0)
    """Rows of the training, the validation and the test part."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """Further lines by their names, from the reader of the files."""

    def describe(self) -> str:
        """Return aligned lines, without a newline at the end."""
        train, validation, test = self.parts
        notes = dict(self.notes)
        missing = notes.pop("missing", "0 values")
        lines = {
            "rows": f"{self.rows}, each {self._sample()}, {self.dtype}",
            **notes,
            "range": self._range(),
            "missing": missing,
            "constant": self._constant(),
            "duplicates": f"{self.duplicates} rows that repeat an earlier one",
            "dropped": f"{self.dropped} rows that are also in a held-out part" if self.dropped else "",
            "clipped": f"{self.clipped} numbers outside the training part's range" if self.clipped else "",
            "classes": self._classes(),
            "split": f"{train} training, {validation} validation, {test} test",
        }
        return "\n".join(f"{name:<12}{text}" for name, text in lines.items() if text)

    def _range(self) -> str:
        low, high = f"{self.low:g}", f"{self.high:g}"
        if low == high:
            low, high = repr(self.low).removesuffix(".0"), repr(self.high).removesuffix(".0")
        return f"{low} to {high}"

    def _sample(self) -> str:
        if self.kind == "image":
            channels, height, width = self.shape
            return f"an image of {height}x{width} pixels, {'grey' if channels == 1 else 'RGB'}"
        window = f" (a window of {'x'.join(map(str, self.window))})" if self.window else ""
        return f"a vector of {self.shape[0] if self.shape else 0} numbers{window}"

    def _constant(self) -> str:
        if self.kind == "image":
            return f"{len(self.constant)} pixels"
        return f"{len(self.constant)} columns" + _listed(self.constant)

    def _classes(self) -> str:
        counts = tuple(f"{name} {count}" for name, count in self.class_counts.items())
        return f"{len(counts)}{_listed(counts)}" if counts else "no labels"


def _listed(names: tuple[str, ...]) -> str:
    """Return `: a, b and 3 more`, or nothing if there are no names."""
    if not names:
        return ""
    more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
    return f": {', '.join(names[:MAX_LISTED_NAMES])}{more}"
