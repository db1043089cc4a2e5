"""The options of a configuration's data section that only tables have."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

Character = Annotated[str, Field(pattern=r"^[\t !#-~]$")]
"""One ASCII character; a quotation mark encloses fields."""
MissingValues = Literal["refuse", "drop", "median"]


class TableOptions(BaseModel):
    """The dialect of a table's file, the columns that are features, and what is done with text and missing values."""

    columns: tuple[str, ...] | None = None
    """The columns that are features, in this order. Null: all but the label and those that only number the rows."""
    drop: tuple[str, ...] = ()
    """Columns that are left out."""
    missing: MissingValues = "refuse"
    """
    `drop` leaves out the rows with a missing value. `median` puts the median of the training part, and the most
    frequent text, in its place, and the service does the same to a null.
    """
    one_hot: bool | tuple[str, ...] | dict[str, tuple[str, ...]] = False
    """
    True: columns of text with few values become a column of 0 and 1 for each value, named `column=value`. Names:
    these columns do. Names with values: these columns do, and any other value is an error.
    """
    separator: Character | None = None
    """The separator of a text file's columns. Null: the one that fits the first lines."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign of a text file. Null: the one that the numbers show."""
    encoding: str | None = None
    """The encoding of a text file. Null: UTF-8 or UTF-16 if it is either, otherwise Windows-1252."""
    header: bool | None = None
    """True if a text file's first row has the columns' names. Null: it must, and numbers there are an error."""
