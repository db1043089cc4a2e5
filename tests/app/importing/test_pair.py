"""An encoder and a decoder that fit each other become a pair; others are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SHAPE, SIZE, constant, node, save
from tests.helpers.imports import (
    Change,
    CheckRefusal,
    Refusal,
    agree,
    decoder_of_width,
    imported,
    refusal,
)


def test_latents_with_a_shape_are_flattened(tmp_path: Path) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [node("Conv", "x w", "code", strides=[2, 2])],
        [("x", ["n", *SHAPE])],
        [("code", ["n", 2, 2, 2])],
        [constant("w", foreign.weights(1, 2, 3 * 2 * 2).reshape(2, 3, 2, 2))],
    )
    decoder = save(
        tmp_path / "d.onnx",
        [node("ConvTranspose", "code v", "sums", strides=[2, 2], output_padding=[0, 1]), node("Sigmoid", "sums", "y")],
        [("code", ["n", 2, 2, 2])],
        [("y", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, 2, 3 * 2 * 2).reshape(2, 3, 2, 2))],
    )
    model, samples = imported(tmp_path), foreign.samples()
    (latents,) = foreign.run(encoder, samples)
    assert model.manifest.latent_dim == 8
    agree(model.encode(samples), latents.reshape(8, 8))
    agree(model.decode(latents.reshape(8, 8)), foreign.run(decoder, latents)[0])


def test_samples_outside_the_range_are_clipped_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx")
    decoder = foreign.linear_decoder(tmp_path / "d.onnx")
    model = imported(tmp_path)
    latents = np.random.default_rng(0).standard_normal((4, LATENTS), np.float32)
    agree(model.decode(latents), foreign.run(decoder, latents)[0].clip(0, 1))
    assert "if these are logits, pass --logits" in capsys.readouterr().err


def test_bytes_need_a_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(
        tmp_path / "e.onnx",
        [node("Cast", "x", "numbers", to=FLOAT), node("MatMul", "numbers w", "code")],
        [("x", ["n", SIZE])],
        [("code", ["n", LATENTS])],
        [constant("w", foreign.weights(1, SIZE, LATENTS))],
        (TensorProto.UINT8, FLOAT),
    )
    foreign.linear_decoder(tmp_path / "d.onnx", (SIZE,))
    assert "e.onnx: bytes and logits need a range: pass --range LOW HIGH" in refusal(tmp_path, capsys, "--shape=60")


def test_counts_that_are_divided_by_their_sum_are_imported_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = save(
        tmp_path / "e.onnx",
        [node("ReduceSum", "x axis", "sum"), node("Div", "x sum", "shares"), node("MatMul", "shares w", "code")],
        [("x", ["n", SIZE])],
        [("code", ["n", LATENTS])],
        [constant("w", 9 * foreign.weights(1, SIZE, LATENTS)), constant("axis", [1], np.int64)],
    )
    foreign.linear_decoder(tmp_path / "d.onnx", (SIZE,))
    model, samples = imported(tmp_path, "--shape=60", "--range", "0", "100"), foreign.samples((SIZE,), high=100)
    agree(model.encode(samples), foreign.run(encoder, samples)[0])
    assert "no finite numbers for samples whose numbers all are 0: the server refuses these" in capsys.readouterr().err


def test_latents_that_are_as_many_as_the_features_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign.encoder(tmp_path / "e.onnx", (SIZE,), width=SIZE)
    save(tmp_path / "d.onnx", [node("Relu", "z", "y")], [("z", ["n", SIZE])], [("y", ["n", SIZE])])
    imported(tmp_path, "--shape=60")
    assert "as many as the numbers of a sample, 60: is the encoder a whole autoencoder?" in capsys.readouterr().err


def decoder_of_bytes(folder: Path) -> None:
    """Write a decoder that rounds to bytes itself."""
    save(
        folder / "d.onnx",
        [
            node("MatMul", "code v", "flat"),
            node("Reshape", "flat s", "y"),
            node("Cast", "y", "b", to=TensorProto.UINT8),
        ],
        [("code", ["n", LATENTS])],
        [("b", ["n", *SHAPE])],
        [constant("v", foreign.weights(2, LATENTS, SIZE)), constant("s", [-1, *SHAPE], np.int64)],
        (FLOAT, TensorProto.UINT8),
    )


def unequal_heads(folder: Path) -> None:
    """Write an encoder with fewer spreads than means."""
    save(
        folder / "e.onnx",
        [node("Flatten", "x", "flat"), node("MatMul", "flat w", "mu"), node("MatMul", "flat u", "logvar")],
        [("x", ["n", *SHAPE])],
        [("mu", ["n", LATENTS]), ("logvar", ["n", 3])],
        [constant("w", foreign.weights(1, SIZE, LATENTS)), constant("u", foreign.weights(2, SIZE, 3))],
    )


def two_answers(folder: Path) -> None:
    """Let the decoder have two outputs whose names are not known."""
    model = onnx.load(folder / "d.onnx")
    del model.graph.output[:]
    model.graph.output.extend(helper.make_tensor_value_info(name, FLOAT, ["n", SIZE]) for name in ("sums", "flat"))
    onnx.save(model, folder / "d.onnx")


def bytes_to_decode(folder: Path) -> None:
    """Make the decoder take bytes."""
    model = onnx.load(folder / "d.onnx")
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("bytes", TensorProto.UINT8, ["n", LATENTS]))
    model.graph.node.insert(0, node("Cast", "bytes", "code", to=FLOAT))
    onnx.save(model, folder / "d.onnx")


REFUSALS: list[Refusal] = [
    ("half the width", decoder_of_width(3), (), "e.onnx gives 6 numbers per sample, but d.onnx takes 3: name"),
    ("rounded output", decoder_of_bytes, (), "expected b to be float32, float16 or float64, got uint8"),
    ("two outputs", two_answers, (), "d.onnx gives sums, flat: pass --decoder-gives, such as samples,ignore"),
    ("latents as bytes", bytes_to_decode, (), "expected bytes to be latents, which are not uint8"),
    ("unequal heads", unequal_heads, (), "e.onnx: expected mu and its spread to have the same shape, got [(6,), (3,)]"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "change", "options", "message"), REFUSALS, ids=[label for label, *_ in REFUSALS])
def test_graphs_that_do_not_fit_are_refused(
    check_refusal: CheckRefusal, label: str, change: Change, options: tuple[str, ...], message: str
) -> None:
    check_refusal(change, options, message)
