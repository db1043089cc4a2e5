"""A decoder with several outputs becomes one with samples."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SIZE, constant, node, save
from tests.helpers.imports import agree, imported, refusal


def two_outputs(path: Path, names: tuple[str, str]) -> Path:
    """Write a decoder of two outputs of 60 numbers: z V and its sigmoid."""
    first, second = names
    return save(
        path,
        [node("MatMul", "code v", first), node("Sigmoid", first, second)],
        [("code", ["n", LATENTS])],
        [(first, ["n", SIZE]), (second, ["n", SIZE])],
        [constant("v", foreign.weights(2, LATENTS, SIZE))],
    )


OUTPUTS: list[tuple[tuple[str, str], tuple[str, ...], int]] = [
    (("mean", "logvar"), (), 0),
    (("logits", "recon"), (), 1),
    (("px_rate", "px_r"), (), 0),
    (("a", "b"), ("--decoder-gives", "mean,sigma"), 0),
    (("a", "b"), ("--decoder-gives", "ignore,samples"), 1),
    (("a", "b"), ("--decoder-gives=-,samples",), 1),
]


@pytest.mark.parametrize(("names", "options", "place"), OUTPUTS)
def test_one_output_is_samples_and_the_other_is_left_out(
    tmp_path: Path, names: tuple[str, str], options: tuple[str, ...], place: int
) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,)), two_outputs(tmp_path / "d.onnx", names)
    model, samples = imported(tmp_path, "--shape=60", *options), foreign.samples((SIZE,))
    (latents,) = foreign.run(encoder, samples)
    agree(model.decode(latents), foreign.run(decoder, latents)[place])


@pytest.mark.parametrize("options", [("--decoder-gives", "logits,ignore"), ("--decoder-gives=logits,-",)])
def test_logits_go_through_a_sigmoid(tmp_path: Path, options: tuple[str, ...]) -> None:
    encoder, decoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,)), two_outputs(tmp_path / "d.onnx", ("a", "b"))
    model, samples = imported(tmp_path, "--shape=60", "--range", "0", "1", *options), foreign.samples((SIZE,))
    (latents,) = foreign.run(encoder, samples)
    agree(model.decode(latents), foreign.run(decoder, latents)[1])


@pytest.mark.parametrize(("words", "first"), [("mean,logvar", True), ("logvar,mean", False)])
def test_a_mean_may_be_half_of_the_only_output(tmp_path: Path, words: str, first: bool) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,))
    decoder = two_outputs(tmp_path / "d.onnx", ("a", "b"))
    model = onnx.load(decoder)
    model.graph.node.append(node("Concat", "a b", "both", axis=1))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("both", FLOAT, ["n", 2 * SIZE]))
    onnx.save(model, decoder)
    loaded, samples = imported(tmp_path, "--shape=60", "--decoder-gives", words), foreign.samples((SIZE,))
    (latents,) = foreign.run(encoder, samples)
    (both,) = foreign.run(decoder, latents)
    agree(loaded.decode(latents), both[:, :SIZE] if first else both[:, SIZE:])


def test_words_that_do_not_fit_the_outputs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    foreign.encoder(tmp_path / "e.onnx", (SIZE,))
    two_outputs(tmp_path / "d.onnx", ("a", "b"))
    assert "--decoder-gives names samples, but its outputs are a, b" in refusal(
        tmp_path, capsys, "--shape=60", "--decoder-gives", "samples"
    )
