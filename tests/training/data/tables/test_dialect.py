"""The separator, the header and the comments of a text file are found in its first lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.tables.dialect import find_separator, read_dialect
from training.errors import DataError

PATH = Path("t.csv")


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b\n0,5;1\n", ";"),
        ("a\tb\n1,5\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a b c\n1  2 3\n", " "),
        ("a;b\n" + "1.000,5;2\n" * 30, ";"),  # every row has one comma, too
        ('a,b\n"1;2",3\n', ","),
        ("a\n1\n", ","),
        ("a,b\n1,2\n1,2,3\n1,2\n", ","),
    ],
)
def test_the_separator_is_the_one_that_fits_the_lines(text: str, separator: str) -> None:
    assert find_separator(text.splitlines(keepends=True)) == separator


@pytest.mark.parametrize(
    ("text", "names", "body", "notes"),
    [
        ("a,b\n1,2\n", ("a", "b"), "1,2\n", ()),
        ("\n\na,b\r\n\r\n1,2\r\n", ("a", "b"), "\r\n1,2\r\n", ()),
        (" a , b\n1,2\n", ("a", "b"), "1,2\n", ()),
        ('"a,x","b ""y"""\n1,2\n', ("a,x", 'b "y"'), "1,2\n", ()),
        ('"a\nx",b\n1,2\n', ("a\nx", "b"), "1,2\n", ()),
        ("# made by hand\na,b\n1,2\n# end\n", ("a", "b"), "1,2\n", ("2 comment lines passed over",)),
        ("# a,b\n1,2\n3,4\n", ("a", "b"), "1,2\n3,4\n", ("1 comment line passed over",)),
        ("#a,b\nx,2\ny,4\n", ("a", "b"), "x,2\ny,4\n", ("1 comment line passed over",)),
        ("a,b\n#1,2\n#2,3\n", ("a", "b"), "#1,2\n#2,3\n", ()),
        ("sep=;\na;b\n1;2\n", ("a", "b"), "1;2\n", ("separator ;",)),
        ("a\tb\n1\t2\n", ("a", "b"), "1\t2\n", ("separator tab",)),
        ("  a  b\n 1  2 \n", ("a", "b"), "1 2\n", ("separator spaces",)),
        ('"a","b"\n"1",5,6\n"2",7,8\n', ("", "a", "b"), '"1",5,6\n"2",7,8\n', ()),  # R's row names
        ("a,b\n1,2,\n3,4,\n", ("a", "b", ""), "1,2,\n3,4,\n", ()),
        ("0,1\n5,6\n", ("0", "1"), "5,6\n", ()),
        ("town,2019,2020\nx,1,2\n", ("town", "2019", "2020"), "x,1,2\n", ()),
        ("a,b", ("a", "b"), "", ()),
        ("a,b\r1,2\r", ("a", "b"), "1,2\r", ()),
    ],
)
def test_the_header_is_told_from_the_rows(text: str, names: tuple[str, ...], body: str, notes: tuple[str, ...]) -> None:
    table = read_dialect(PATH, text.encode(), None, None)
    assert (table.names, table.body.decode(), table.notes) == (names, body, notes)


@pytest.mark.parametrize(
    "text",
    ["3.5,1\n2,1\n", "5.1,3.5,setosa\n4.9,3.0,setosa\n", "39,State,13\n50,State,9\n", "7 8\n1 2\n"],
)
def test_numbers_in_the_first_row_are_no_names_unless_said_so(text: str) -> None:
    with pytest.raises(DataError, match=r"^t.csv: expected the columns' names in the first row, got numbers: .*; "
                       "--no-header numbers the columns from 0"):  # fmt: skip
        read_dialect(PATH, text.encode(), None, None)
    without = read_dialect(PATH, text.encode(), None, has_header=False)
    assert without.names == tuple(str(n) for n in range(len(without.names)))
    assert without.body.count(b"\n") == 2
    assert read_dialect(PATH, text.encode(), None, has_header=True).body.count(b"\n") == 1


@pytest.mark.parametrize(("text", "complaint"), [("\n \n", "only empty lines"), ("% a\n# b\n", "only comments")])
def test_a_file_without_rows_is_named(text: str, complaint: str) -> None:
    with pytest.raises(DataError, match=f"t.csv: cannot be read as CSV: {complaint}"):
        read_dialect(PATH, text.encode(), None, None)


def test_a_field_of_any_length_is_read() -> None:
    table = read_dialect(PATH, f"a,b\n1,{'x' * 200_000}\n".encode(), None, None)
    assert table.names == ("a", "b")
    assert read_dialect(PATH, f"a,{'b' * 200_000}\n1,2\n".encode(), None, None).names[1] == "b" * 200_000
