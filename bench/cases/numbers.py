"""Numbers of tables and arrays: their precision, windows of series, archives as they are published, tiny sets."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.cases.case import Case
from bench.cases.programs import server, train

Rows = npt.NDArray[Any]

COUNT = 300
BESIDE = np.arange(COUNT) % 3
NAMED = r"exit 0.*column (\"t\"|0) in steps of.*duplicates 0 rows"
"""All rows are different, and the column that float32 cannot hold is named."""


def normal(*shape: int) -> Rows:
    """Return normally distributed numbers, always the same."""
    return np.random.default_rng(0).normal(size=shape)


def pixels(*shape: int) -> Rows:
    """Return random bytes, always the same."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def table(values: Rows, suffix: str = ".csv") -> Callable[[Path], str]:
    """Return a trial with a table of two columns, `t` and `v`."""

    def trial(scratch: Path) -> str:
        if suffix == ".npy":
            np.save(scratch / "t.npy", np.stack([values, BESIDE.astype(values.dtype)], axis=1))
        elif suffix == ".parquet":
            import pyarrow
            import pyarrow.parquet

            pyarrow.parquet.write_table(pyarrow.table({"t": values, "v": BESIDE}), scratch / "t.parquet")
        else:
            rows = zip(map(repr, values.tolist()), BESIDE.tolist(), strict=True)
            (scratch / "t.csv").write_text("t,v\n" + "\n".join(f"{t},{v}" for t, v in rows) + "\n")
        return train(scratch, "table-ae", "--data", f"t{suffix}", "--name", "t")

    return trial


def array(values: Rows, *options: str, config: str = "table-ae") -> Callable[[Path], str]:
    """Return a trial with a .npy file."""

    def trial(scratch: Path) -> str:
        np.save(scratch / "x.npy", values)
        return train(scratch, config, "--data", "x.npy", "--name", "x", *options)

    return trial


def archive(members: dict[str, Rows], *options: str, config: str = "images-ae") -> Callable[[Path], str]:
    """Return a trial with a .npz file."""

    def trial(scratch: Path) -> str:
        np.savez(scratch / "x.npz", **members)  # type: ignore[arg-type]  # numpy's stub takes them for allow_pickle
        return train(scratch, config, "--data", "x.npz", "--name", "x", *options)

    return trial


def content(name: str, data: bytes | None) -> Callable[[Path], str]:
    """Return a trial with a file of some bytes, or with a folder of that name."""

    def trial(scratch: Path) -> str:
        if data is None:
            (scratch / name).mkdir()
        else:
            (scratch / name).write_bytes(data)
        return train(scratch, "table-ae", "--data", name, "--name", "x")

    return trial


def served_windows(scratch: Path) -> str:
    """Train on windows of 6x3, serve the model, and send a window as it is."""
    np.save(scratch / "w.npy", normal(COUNT, 6, 3))
    models = ("--models-dir", "models")
    ended = train(scratch, "table-ae", "--data", "w.npy", "--name", "w", "--kind", "vector", *models)
    if not ended.startswith("exit 0"):
        return ended
    body = json.dumps({"samples": normal(2, 6, 3).tolist()}).encode()
    with server(scratch / "models") as address:
        request = urllib.request.Request(
            f"{address}/v1/models/w/reconstruct", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                shape = np.shape(json.load(answer)["samples"])
                return f"{answer.status}: {list(shape)}"
        except urllib.error.HTTPError as error:
            return f"{error.code}: {error.read().decode()}"


def two_files(scratch: Path) -> str:
    """Train on one file, with another one as the test part."""
    np.save(scratch / "a.npy", normal(40, 3))
    np.save(scratch / "b.npy", normal(9, 3) + 1)
    return train(scratch, "table-ae", "--data", "a.npy", "--test", "b.npy", "--name", "x")


def stated_range(scratch: Path) -> str:
    """Export float pictures with a stated range whose ends float32 rounds."""
    np.save(scratch / "x.npy", normal(40, 16, 16).clip(-3, 3).astype(np.float32))
    options = ("--name", "x", "--models-dir", "models", "--set", "data.value_range=-4.502222123,3.895571234")
    return train(scratch, "images-ae", "--data", "x.npy", "--kind", "image", *options)


SENTENCE = r"^exit 1: (?!.*Traceback).*hourglass-train: "
PARTS = r"exit 0.*classes 2.*split 40 training, 10 validation, 9 test"
IMAGES = {"train_images": pixels(40, 8, 8), "val_images": pixels(50, 8, 8)[40:], "test_images": pixels(59, 8, 8)[50:]}
LABELS = {f"{part}_labels": np.arange(n)[:, None] % 2 for part, n in (("train", 40), ("val", 10), ("test", 9))}

CASES = [
    Case("1.1", "CSV: Unix seconds that all differ", table(1_700_000_000 + np.arange(COUNT)), NAMED),
    Case("1.2", "CSV: Unix milliseconds", table(1_700_000_000_000 + np.arange(COUNT)), NAMED),
    Case("1.3", "Parquet: nanoseconds", table(1_700_000_000_000_000_000 + np.arange(COUNT), ".parquet"), NAMED),
    Case("1.4", ".npy: int64 from 2^24 on", table(2**24 + np.arange(COUNT), ".npy"), NAMED),
    Case("1.5", ".npy: float64 with an offset of 1e9", table(1e9 + np.arange(COUNT) / 1000, ".npy"), NAMED),
    Case("1.6", "CSV: negative readings of a counter", table(-(2**26) - np.arange(COUNT)), NAMED),
    Case("1.7", "CSV: fractions, nothing is lost", table(normal(COUNT)), r"exit 0(?!.*in steps of).*duplicates 0"),
    Case("8.1", "windows (300, 24, 3), table-ae", array(normal(COUNT, 24, 3)), "24x3 .*--kind vector"),
    Case("8.2", "the same with --kind vector", array(normal(COUNT, 24, 3), "--kind", "vector"), "exit 0.*vector of 72"),
    Case("8.3", "windows (300, 16, 8), table-ae", array(normal(COUNT, 16, 8)), "exit 1.*--kind vector or --kind image"),
    Case("8.4", "windows (300, 16, 8), images-ae", array(normal(COUNT, 16, 8), config="images-ae"), "--kind vector"),
    Case("8.5", "windows (300, 288, 1)", array(normal(COUNT, 288, 1), "--kind", "vector"), "exit 0.*vector of 288"),
    Case("8.6", "a window is served as it is", served_windows, r"^200: \[2, 18\]"),
    Case("A.1", ".npz as published, with labels of (N, 1)", archive({**IMAGES, **LABELS}), PARTS),
    Case(
        "A.2",
        ".npz with x_train, x_test, y_train, y_test",
        archive(
            {
                "x_train": IMAGES["train_images"],
                "x_test": IMAGES["test_images"],
                "y_train": LABELS["train_labels"][:, 0],
            }
        ),
        "exit 0.*split 38 training, 2 validation, 9 test",
    ),
    Case(
        "A.3",
        ".npz, --samples",
        archive({"a": pixels(40, 8, 8), "b": pixels(40, 8, 8)}, "--samples", "a"),
        "exit 0.*rows 40",
    ),
    Case("A.4", "--test FILE", two_files, "exit 0.*split 38 training, 2 validation, 9 test"),
    Case("A.5", "a stated range that float32 rounds", stated_range, "^exit 0"),
    Case("S.1", "--set", array(normal(40, 3), "--set", "network.widths=8,4"), "^exit 0"),
    Case(
        "S.2",
        "--set, misspelt",
        array(normal(40, 3), "--set", "optimisation.epoch=2"),
        "did you mean optimisation.epochs",
    ),
    Case("S.3", "--name WDBC-ae", array(normal(40, 3), "--name", "WDBC-ae"), "lower-case.* did you mean wdbc-ae"),
    Case("T.1", "two rows", array(normal(2, 3)), SENTENCE),
    Case("T.2", "three rows, exported", array(normal(3, 3), "--models-dir", "models"), "^exit 0"),
    Case("T.3", "numbers of 3e38", array(np.sign(normal(40, 3)) * 3e38), f"{SENTENCE}.*too far apart"),
    Case("T.4", "an infinite number", array(np.where(normal(40, 3) > 2, np.inf, 1)), f"{SENTENCE}.*infinite"),
    Case("T.5", "Python objects", array(np.array([[1, None]] * 4, object)), SENTENCE),
    Case("T.6", "an empty .npy file", content("x.npy", b""), f"{SENTENCE}.*empty"),
    Case("T.7", "a .npy file that is text", content("x.npy", b"a,b\n1,2\n"), f"{SENTENCE}.*not a .npy file"),
    Case("T.8", "a folder named x.csv", content("x.csv", None), SENTENCE),
    Case("T.9", "images of one pixel", array(pixels(40, 1, 1), config="images-ae"), SENTENCE),
]
