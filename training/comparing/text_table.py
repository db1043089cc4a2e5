"""Tables as aligned text, which can be read on a terminal and cut into columns."""

from __future__ import annotations

from collections.abc import Sequence


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned lines. The first column is text, at the left; the others are numbers, at the right."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    aligned = [[_align(cell, column, widths[column]) for column, cell in enumerate(line)] for line in lines]
    return "\n".join("  ".join(cells) for cells in aligned)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with its significant digits, or a dash for None."""
    return "-" if value is None else f"{value:.{digits}g}"


def _align(cell: str, column: int, width: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)
