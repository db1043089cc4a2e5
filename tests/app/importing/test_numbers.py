"""Graphs calculate with numbers of several types; the contract has float32, and int64 for labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.arrays import Rows
from app.errors import UnfitGraph
from app.importing.numbers import float_output, from_float32, label_ports, to_float32
from app.importing.original import GraphFile, Original
from app.importing.reading import read_model
from app.importing.steps import apply
from tests.helpers import foreign


@pytest.fixture
def original(tmp_path: Path) -> Original:
    """Return an opened encoder."""
    path = foreign.encoder(tmp_path / "e.onnx")
    return Original.open(GraphFile(path, read_model(path)), ["code"])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_numbers_are_cast_both_ways(dtype: type[np.generic]) -> None:
    rows = np.array([[0.5, -2]], np.float32)
    cast = apply(from_float32(dtype), rows)
    assert cast.dtype == dtype
    assert apply(to_float32(cast), cast).dtype == np.float32
    assert cast.tolist() == rows.tolist()


WRONG: list[tuple[Rows, str, str]] = [
    (np.zeros((1, 2), np.int64), "latents", "got int64; if these are the codes of a codebook"),
    (np.zeros((1, 2), np.uint8), "samples", "to be float32, float16 or float64, got uint8$"),
]


@pytest.mark.parametrize(("output", "role", "message"), WRONG)
def test_whole_numbers_are_refused(original: Original, output: Rows, role: str, message: str) -> None:
    with pytest.raises(UnfitGraph, match=message):
        float_output(original, "code", {"code": output}, role)


def test_an_output_without_rows_is_refused(original: Original) -> None:
    with pytest.raises(UnfitGraph, match="expected sums to have a row for each row of x"):
        float_output(original, "sums", {}, "latents")


def test_a_graph_without_labels_has_no_port_for_them(original: Original) -> None:
    assert label_ports(original, ("a", "b")) == []
    assert original.input_type == np.float32
