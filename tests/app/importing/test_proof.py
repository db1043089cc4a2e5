"""Rewritten graphs that differ from the original are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.helpers import foreign
from tests.helpers.foreign import LATENTS, SHAPE, constant, node, save
from tests.helpers.imports import (
    FLATTEN,
    MATMUL,
    Change,
    CheckRefusal,
    Refusal,
    changed_encoder,
    encoder_of,
    refusal,
)


def batch_inside(folder: Path) -> None:
    """Write an encoder that merges the axes of the batch and of the channels."""
    save(
        folder / "e.onnx",
        [
            node("Reshape", "x channels", "rows"),
            node("MatMul", "rows w", "pairs"),
            node("Reshape", "pairs one", "code"),
        ],
        [("x", [1, *SHAPE])],
        [("code", [1, LATENTS])],
        [
            constant("w", foreign.weights(1, 20, 2)),
            constant("channels", [3, 20], np.int64),
            constant("one", [1, -1], np.int64),
        ],
    )


def test_a_batch_size_in_other_nodes_is_found_by_running_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four rows are returned for any number of rows."""
    encoder_of(node("Reshape", "x rows", "flat"), MATMUL, batch=4)(tmp_path)
    model = onnx.load(tmp_path / "e.onnx")
    model.graph.node[0].CopyFrom(node("Flatten", "x", "free"))
    model.graph.node.insert(1, node("Expand", "free rows", "flat"))  # copies one row, and fails for three
    onnx.save(model, tmp_path / "e.onnx")
    foreign.decoder(tmp_path / "d.onnx")
    message = refusal(tmp_path, capsys)
    assert "e.onnx: its batch size, 4, is built into its nodes; export it with a free batch axis" in message
    assert "(1 rows gave code of shape [4, 6])" in message


REFUSALS: list[Refusal] = [
    ("batch inside", batch_inside, (),
     "e.onnx: its batch size, 1, is built into its nodes; export it with a free batch axis"),
    ("rows that mix", encoder_of(FLATTEN, node("ReduceMean", "flat", "mean", keepdims=1, noop_with_empty_axes=0),
     node("Add", "flat mean", "moved"), node("MatMul", "moved w", "code")), (), "at once differs by"),
    ("more than float16 holds", changed_encoder(dtype=TensorProto.FLOAT16), ("--range", "0", "1e6"),
     "is not finite for a sample"),
    ("logarithm of less than nothing", lambda folder: foreign.encoder(folder / "e.onnx", width=2 * LATENTS),
     ("--encoder-gives", "mu,sigma"), "logvar is not finite for a sample within the range"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_graphs_with_other_answers_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
