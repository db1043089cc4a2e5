"""Tables: encodings and dialects, columns that only number the rows, missing values, text, and rows as objects."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from bench.cases.case import Case
from bench.cases.programs import server, train

ROWS = 60


def table(header: str, row: Callable[[int], str]) -> str:
    """Return the text of a table with ROWS rows."""
    return "\n".join([header, *map(row, range(ROWS))]) + "\n"


def spread(number: int) -> float:
    """Return a number from 0 to 1 that differs in every row and is in no order."""
    return number * 37 % 61 / 61


def trained(name: str, content: str | bytes, *options: str) -> Callable[[Path], str]:
    """Return a function that trains on a file of this name and content."""

    def run(scratch: Path) -> str:
        (scratch / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return train(scratch, "table-ae", "--data", name, "--name", "t", *options)

    return run


LATIN_HEADER = "gr\xf6\xdfe,b\n" + "".join(f"{n + 1},{n * n}\n" for n in range(30))
EUROPEAN = table("länge;höhe", lambda n: f"{spread(n):.3f};{1000 + n * n:.1f}".replace(".", ","))
INDEXED = table("Unnamed: 0,a,b,c", lambda n: f"{n},{spread(n):.4f},{n % 7},{n * n}")
UNNAMED = table(",a,b", lambda n: f"{n},{spread(n):.4f},{n * n}")
COUNTED = table("a,row,b", lambda n: f"{spread(n):.4f},{n + 1},{n * n}")
GAPS = table("a,b", lambda n: f"{spread(n):.4f},{'' if n % 5 == 0 else n * n}")
DATED = table("day,a,b", lambda n: f"2020-{n % 12 + 1:02d}-01,{spread(n):.4f},{n * n}")
COLOURED = table(
    "a,colour,b,paid", lambda n: f"{spread(n):.4f},{('red', 'blue')[n % 2]},{n * n},{('yes', 'no')[n % 3 > 0]}"
)
PLAIN = table("a,b", lambda n: f"{spread(n):.4f},{n * n}")
R_STYLE = table('"a","b"', lambda n: f'"{n + 1}",{spread(n):.4f},{n * n}')
HEADLESS = table("5.1,3.5,setosa", lambda n: f"{spread(n):.4f},{n * n},setosa")
BROKEN = b"PAR1" + bytes(range(200)) + b"PAR1"


def objects(scratch: Path) -> str:
    """Train on text and gaps, serve the model, and send and receive rows as objects."""
    content = COLOURED.replace("0.6066,", ",")
    (scratch / "t.csv").write_text(content)
    options = ("--one-hot", "--missing", "median", "--models-dir", "models")
    outcome = train(scratch, "table-ae", "--data", "t.csv", "--name", "t", *options)
    if not outcome.startswith("exit 0"):
        return outcome
    body = {"samples": [{"a": None, "colour": "red", "b": 4, "paid": "yes"}]}
    with server(scratch / "models") as address:
        good = post(f"{address}/v1/models/t/reconstruct?rows=objects", body)
        body["samples"][0]["colour"] = "green"
        return f"{good} | {post(f'{address}/v1/models/t/encode', body)}"


def post(address: str, body: object) -> str:
    """Return the status and the text of an answer."""
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return f"{response.status} {response.read().decode()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"


OF_2, OF_3 = "exit 0.*vector of 2 numbers", "exit 0.*vector of 3 numbers"
ONE_LINE = "^exit 1: [^|]*"
OBJECTS = '200 .*"colour":"(red|blue)".*422 .*one of .*green'

CASES = [
    Case("5.1", "an index saved by pandas", trained("u.csv", INDEXED), f"{OF_3}.*left out.*Unnamed: 0"),
    Case("5.2", "an index without a name", trained("u.csv", UNNAMED), f"{OF_2}.*left out"),
    Case("5.3", "a column 1..n among the others", trained("u.csv", COUNTED), f"{OF_2}.*left out.*row"),
    Case("5.4", "R's names of rows, without a header", trained("r.csv", R_STYLE), f"{OF_2}.*left out"),
    Case("6.1", "a header in Latin-1", trained("l.csv", LATIN_HEADER.encode("latin-1")), f"{OF_2}.*not UTF-8.*1252"),
    Case("6.2", "UTF-16 with a byte order mark", trained("l.csv", PLAIN.encode("utf-16")), f"{OF_2}.*UTF-16"),
    Case("6.3", "UTF-16 without one", trained("l.csv", PLAIN.encode("utf-16-le")), f"{OF_2}.*UTF-16"),
    Case("6.4", "NUL bytes", trained("l.csv", PLAIN + "1,\0\n"), f"{ONE_LINE}NUL"),
    Case("6.5", "a broken Parquet file", trained("x.parquet", BROKEN), f"{ONE_LINE}Parquet"),
    Case("6.6", "only a header", trained("h.csv", "a,b\n"), f"{ONE_LINE}at least one row"),
    Case("6.7", "a row of another length", trained("h.csv", PLAIN + "1,2,3\n"), f"{ONE_LINE}row 61.*2 fields.*got 3"),
    Case("6.8", "a spreadsheet", trained("x.xlsx", b"PK\x03\x04" + bytes(50)), f"{ONE_LINE}spreadsheet"),
    Case("7.1", "semicolons, decimal commas, umlauts", trained("s.csv", EUROPEAN), f"{OF_2}.*separator ;, decimal"),
    Case("7.2", "a .tsv file", trained("s.tsv", PLAIN.replace(",", "\t")), f"{OF_2}.*separator tab"),
    Case("7.3", "a .csv.gz file", trained("s.csv.gz", gzip.compress(PLAIN.encode())), OF_2),
    Case("7.4", "comment lines first", trained("s.csv", "# by hand\n# twice\n" + PLAIN), f"{OF_2}.*2 comment lines"),
    Case("7.5", "no header", trained("iris.data", HEADLESS), f"{ONE_LINE}--no-header"),
    Case("8.1", "empty cells", trained("m.csv", GAPS), f"{ONE_LINE}12 values: b 12.*--missing drop.*--missing median"),
    Case("8.2", "their rows left out", trained("m.csv", GAPS, "--missing", "drop"), f"{OF_2}.*12 of 60 rows left out"),
    Case("8.3", "medians in their place", trained("m.csv", GAPS, "--missing", "median"), f"{OF_2}.*filled with"),
    Case("9.1", "a column of dates", trained("d.csv", DATED), f'{ONE_LINE}"day" \\(dates.*--drop day'),
    Case("9.2", "the column left out", trained("d.csv", DATED, "--drop", "day"), OF_2),
    Case("9.3", "text of two values, yes and no", trained("c.csv", COLOURED), f'{ONE_LINE}"colour".*--one-hot colour'),
    Case("9.4", "one-hot columns", trained("c.csv", COLOURED, "--one-hot"), "vector of 5 numbers.*paid as 0 and 1"),
    Case("9.5", "rows as objects: null, yes, unknown text", objects, OBJECTS),
]  # fmt: skip
"""Situations whose kind is described in words; the outcome must hold what a user needs to know."""
