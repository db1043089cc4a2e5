"""Conditional graphs take a label, as an index or as a one-hot row, and become a conditional model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from app.arrays import Rows
from app.errors import InvalidParameter, UnfitGraph
from app.importing.labels import GraphInput, choose_inputs, label_steps, read_labels
from app.importing.steps import apply
from tests.helpers import foreign
from tests.helpers.foreign import FLOAT, LATENTS, SIZE, constant, node, save
from tests.helpers.imports import agree, imported, refusal

NAMES = ("cat", "dog", "bird")
ONE_HOT = np.eye(3, dtype=np.float32)


def conditional(path: Path, size: int, out: int, label: str, kind: str, batch: str | int = "n") -> None:
    """Write rows W + label U; the label is `one-hot`, or an index whose row of U is gathered."""
    hot = kind == "one-hot"
    nodes = [
        node("MatMul", "rows w", "sums"),
        node("MatMul", f"{label} u", "shift") if hot else node("Gather", f"u {label}", "shift"),
        node("Add", "sums shift", "answer"),
    ]
    constants = [constant("w", foreign.weights(1, size, out)), constant("u", foreign.weights(2, 3, out))]
    save(path, nodes, [("rows", [batch, size])], [("answer", [batch, out])], constants)
    model = onnx.load(path)
    value = (FLOAT, [batch, 3]) if hot else (TensorProto.INT64, [batch])
    model.graph.input.append(helper.make_tensor_value_info(label, *value))
    onnx.save(model, path)


def original(path: Path, rows: Rows, name: str, labels: Rows) -> Rows:
    """Return a graph's answers, one row at a time."""
    session = onnxruntime.InferenceSession(path)
    answers = [session.run(None, {"rows": rows[i : i + 1], name: labels[i : i + 1]})[0] for i in range(len(rows))]
    return np.concatenate(answers)


@pytest.mark.parametrize("batch", ["n", 1])
@pytest.mark.parametrize(("kind", "name"), [("one-hot", "label"), ("one-hot", "y"), ("index", "class_label:0")])
def test_a_label_in_both_halves_makes_a_conditional_model(
    tmp_path: Path, kind: str, name: str, batch: str | int
) -> None:
    conditional(tmp_path / "e.onnx", SIZE, LATENTS, name, kind, batch)
    conditional(tmp_path / "d.onnx", LATENTS, SIZE, name, kind, batch)
    model, samples = imported(tmp_path, "--shape=60", "--labels", *NAMES), foreign.samples((SIZE,))
    assert (model.manifest.labels, model.manifest.encoder_takes_labels) == (NAMES, True)
    for index, label in enumerate(NAMES):
        labels = np.full(8, index) if kind == "index" else ONE_HOT[[index] * 8]
        latents = original(tmp_path / "e.onnx", samples, name, labels)
        agree(model.encode(samples, label), latents)
        expected = original(tmp_path / "d.onnx", latents, name, labels)
        agree(model.decode(latents, label), expected)
        agree(model.reconstruct(samples, label).samples, expected)
        line = original(tmp_path / "d.onnx", latents[:2], name, labels[:2])
        agree(model.interpolate(samples[:2], 2, label), line)


def test_rows_of_a_batch_have_labels_of_their_own(tmp_path: Path) -> None:
    conditional(tmp_path / "e.onnx", SIZE, LATENTS, "c", "one-hot")
    conditional(tmp_path / "d.onnx", LATENTS, SIZE, "c", "one-hot")
    model, samples = imported(tmp_path, "--shape=60"), foreign.samples((SIZE,))
    assert model.manifest.labels == ("0", "1", "2")
    labels = np.arange(8) % 3
    agree(model.posterior(samples, labels).mu, original(tmp_path / "e.onnx", samples, "c", ONE_HOT[labels]))
    with pytest.raises(InvalidParameter, match="is conditional: expected label to be one of 0, 1, 2"):
        model.encode(samples)


def test_only_the_decoder_may_take_a_label(tmp_path: Path) -> None:
    encoder = foreign.encoder(tmp_path / "e.onnx", (SIZE,))
    conditional(tmp_path / "d.onnx", LATENTS, SIZE, "label", "one-hot")
    model, samples = imported(tmp_path, "--shape=60"), foreign.samples((SIZE,))
    assert not model.manifest.encoder_takes_labels
    (latents,) = foreign.run(encoder, samples)
    agree(model.encode(samples), latents)
    agree(model.decode(latents, "2"), original(tmp_path / "d.onnx", latents, "label", ONE_HOT[[2] * 8]))
    with pytest.raises(InvalidParameter, match="takes no label, only its decoder does, got '2'"):
        model.encode(samples, "2")


def test_only_the_encoder_may_take_a_label(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conditional(tmp_path / "e.onnx", SIZE, LATENTS, "label", "one-hot")
    decoder = foreign.linear_decoder(tmp_path / "d.onnx", (SIZE,))
    model, samples = imported(tmp_path, "--shape=60"), foreign.samples((SIZE,))
    assert "labels: ignored by the graph" in capsys.readouterr().err
    latents = original(tmp_path / "e.onnx", samples, "label", ONE_HOT[[1] * 8])
    agree(model.reconstruct(samples, "1").samples, foreign.run(decoder, latents)[0])


REFUSALS: list[tuple[str, tuple[str, ...], str]] = [
    ("one-hot", ("--labels", "cat", "dog"), "e.onnx: expected 2 labels, but label has 3 numbers"),
    ("one-hot", ("--labels", "a", "a", "b"), "--labels: expected at least 2 different names, got a, a, b"),
    ("index", (), "without their number: pass --labels with the name of each, such as --labels 0 1 2"),
    ("index", ("--labels", *"abcd"), "--labels names more labels than the graph knows"),
]


@pytest.mark.parametrize(("kind", "options", "message"), REFUSALS)
def test_labels_that_do_not_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, options: tuple[str, ...], message: str
) -> None:
    conditional(tmp_path / "e.onnx", SIZE, LATENTS, "label", kind)
    conditional(tmp_path / "d.onnx", LATENTS, SIZE, "label", kind)
    assert message in refusal(tmp_path, capsys, "--shape=60", *options)


def test_labels_need_a_graph_that_takes_them() -> None:
    with pytest.raises(UnfitGraph, match="neither graph has a second input"):
        read_labels(NAMES, [])


FLOATS = "tensor(float)"
INPUTS: list[tuple[list[GraphInput], tuple[str, ...], str | None]] = [
    ([GraphInput("x", FLOATS, ("n", 60)), GraphInput("y", FLOATS, ("n", 3))], (), "y"),
    ([GraphInput("cond", FLOATS, ("n", 3)), GraphInput("x", FLOATS, ("n", 60))], (), "cond"),
    ([GraphInput("a", FLOATS, ("n", 60)), GraphInput("b", "tensor(int32)", ("n",))], (), "b"),
    ([GraphInput("a", FLOATS, ("n", 60)), GraphInput("b", FLOATS, ("n", 3))], NAMES, "b"),
    ([GraphInput("a", FLOATS, ("n", 3)), GraphInput("b", FLOATS, ("n", 60))], NAMES, "a"),
    ([GraphInput("a", FLOATS, ("n", 3)), GraphInput("b", FLOATS, ("n", 3))], NAMES, "b"),
    ([GraphInput("a", FLOATS, ("n", 60)), GraphInput("b", FLOATS, ("n", 3))], (), None),
    ([GraphInput("x", FLOATS, ("n", 60)), GraphInput("library", FLOATS, ("n", 1))], (), None),
    ([GraphInput(name, FLOATS, ("n", 1)) for name in "abc"], (), None),
]


@pytest.mark.parametrize(("inputs", "names", "label"), INPUTS)
def test_the_label_among_two_inputs_is_found_by_name_type_or_width(
    inputs: list[GraphInput], names: tuple[str, ...], label: str | None
) -> None:
    if label is None:
        with pytest.raises(UnfitGraph, match="expected one input, got"):
            choose_inputs("e.onnx", inputs, names)
    else:
        found = choose_inputs("e.onnx", inputs, names)[1]
        assert found is not None
        assert found.name == label


STEPS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("tensor(int64)", ("n",), [2, 0]),
    ("tensor(int32)", ("n", 1), [[2], [0]]),
    (FLOATS, ("n", 1), [[2.0], [0.0]]),
    (FLOATS, ("n", 3), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    ("tensor(double)", ("n", "labels"), [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
]


@pytest.mark.parametrize(("kind", "shape", "expected"), STEPS)
def test_indices_become_what_the_graph_takes(kind: str, shape: tuple[Any, ...], expected: Any) -> None:
    assert apply(label_steps(GraphInput("y", kind, shape), 3), np.array([2, 0])).tolist() == expected
