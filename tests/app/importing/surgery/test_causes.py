"""Refusals name their true cause and what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import FLATTEN, MATMUL, Change, CheckRefusal, Refusal, encoder_of

EVAL = "was exported in training mode ({}): call eval() before exporting"


def normalised(folder: Path, outputs: str, **attributes: int) -> None:
    """Write an encoder with batch normalisation behind its layer."""
    constants = [constant(name, np.ones(LATENTS)) for name in ("scale", "bias", "mean", "variance")]
    save(
        folder / "e.onnx",
        [FLATTEN, node("MatMul", "flat w", "sums"),
         node("BatchNormalization", "sums scale bias mean variance", outputs, **attributes)],
        [("x", ["n", *SHAPE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), *constants],
    )  # fmt: skip


def dynamically_quantised(folder: Path) -> None:
    """Write an encoder that chooses its scale by all rows of the batch."""
    save(
        folder / "e.onnx",
        [
            FLATTEN,
            node("DynamicQuantizeLinear", "flat", "bytes scale zero"),
            node("MatMulInteger", "bytes w zero", "whole"),
            node("Cast", "whole", "numbers", to=FLOAT),
            node("Mul", "numbers scale", "code"),
        ],
        [("x", ["n", *SHAPE])],
        [("code", ["n", LATENTS])],
        [constant("w", np.random.default_rng(0).integers(-99, 99, (SIZE, LATENTS)), np.int8)],
    )


def of_codes(folder: Path) -> None:
    """Write an encoder whose latents are the indices of a codebook."""
    save(
        folder / "e.onnx",
        [FLATTEN, node("ArgMax", "flat", "code", axis=1)],
        [("x", ["n", *SHAPE])],
        [("code", ["n", 1])],
        types=(FLOAT, TensorProto.INT64),
    )


def of_counts(folder: Path) -> None:
    """Write an encoder that takes the logarithm of its samples plus one."""
    save(
        folder / "e.onnx",
        [node("Add", "x one", "more"), node("Log", "more", "logs"), node("Flatten", "logs", "flat"), MATMUL],
        [("x", ["n", SIZE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("one", 1)],
    )
    foreign.decoder(folder / "d.onnx", (SIZE,))


def noise(operator: str) -> Change:
    """Return a change to an encoder that adds random numbers."""
    return encoder_of(FLATTEN, node(operator, "flat", "noise"), node("Add", "flat noise", "noisy"),
                      node("MatMul", "noisy w", "code"))  # fmt: skip


REFUSALS: list[Refusal] = [
    ("normalisation in training mode", lambda folder: normalised(folder, "code m v", training_mode=1), (),
     EVAL.format("BatchNormalization")),
    ("dropout", encoder_of(FLATTEN, node("Dropout", "flat half yes", "less"), node("MatMul", "less w", "code")), (),
     EVAL.format("Dropout")),
    ("draw", noise("RandomNormalLike"), (), "got RandomNormalLike; export mu and logvar: the server draws, seeded"),
    ("dropout by hand", noise("RandomUniformLike"), (), "if this is Dropout, call eval() before exporting"),
    ("mean of the batch", encoder_of(FLATTEN, node("ReduceMean", "flat", "mean", noop_with_empty_axes=0),
     node("Sub", "flat mean", "moved"), node("MatMul", "moved w", "code")), (),
     "its rows depend on each other; if it has batch normalisation or Dropout"),
    ("dynamic quantisation", dynamically_quantised, (), "quantised dynamically (DynamicQuantizeLinear), so that its"),
    ("dynamic quantisation, remedy", dynamically_quantised, (), "quantise it with fixed scales"),
    ("codes", of_codes, (), "got int64; if these are the codes of a codebook, export the encoder with the vectors"),
    ("counts", of_counts, ("--shape=60",), "pass --range LOW HIGH, such as --range 0 HIGH for counts"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_causes_are_named_with_a_remedy(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
