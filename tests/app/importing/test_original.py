"""Graphs that onnxruntime cannot run, or that do not take a batch of rows, are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import TensorProto

from tests.helpers.foreign import FLOAT, LATENTS, SIZE, node, save
from tests.helpers.imports import (
    FLATTEN,
    MATMUL,
    Change,
    CheckRefusal,
    Refusal,
    encoder_of,
)


def one_sample(folder: Path) -> None:
    """Write an encoder without a batch axis."""
    save(folder / "e.onnx", [node("Relu", "x", "code")], [("x", [SIZE])], [("code", [SIZE])])


def shifted_decoder(folder: Path) -> None:
    """Write a decoder with a second input."""
    save(
        folder / "d.onnx",
        [node("Add", "code shift", "y")],
        [("code", ["n", LATENTS]), ("shift", ["n", LATENTS])],
        [("y", ["n", LATENTS])],
    )


REFUSALS: list[Refusal] = [
    ("unknown operator", encoder_of(FLATTEN, node("Twist", "flat", "code")), (), "No Op registered for Twist"),
    ("opset of tomorrow", encoder_of(FLATTEN, MATMUL, opset=99), (), "or older, got 99; export the graph"),
    ("IR of tomorrow", encoder_of(FLATTEN, MATMUL, ir=99), (), "or older, got 99; save it with an older onnx"),
    ("whole numbers", encoder_of(node("Cast", "x", "cast", to=FLOAT), node("Flatten", "cast", "flat"), MATMUL,
     types=(TensorProto.INT32, FLOAT)), (), "expected x to be float32, float16, float64, uint8, got tensor(int32)"),
    ("two inputs", shifted_decoder, (), "d.onnx: expected one input, got code, shift; if one of them is a label"),
    ("no batch", one_sample, ("--shape", "60"), "expected x to be rows of a batch, got shape [60]"),
    ("one answer for all", encoder_of(FLATTEN, node("MatMul", "flat w", "codes"),
     node("ReduceSum", "codes", "code", keepdims=0)), (), "e.onnx: expected code to have a row for each row of x"),
    ("fails when it runs", encoder_of(FLATTEN, node("Gather", "flat rows", "less", axis=1),
     node("ReduceSum", "less", "all"), node("Mul", "all flat", "more"), node("MatMul", "more w", "code")), (),
     "e.onnx cannot be run: Non-zero status code returned while running Gather node"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_graphs_that_cannot_be_run_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
