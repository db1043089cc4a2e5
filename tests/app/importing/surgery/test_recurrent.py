"""Recurrent nodes whose states were written for a fixed number of rows take any number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from app.importing.surgery.recurrent import constant_value
from tests.helpers import foreign
from tests.helpers.foreign import constant, node, save
from tests.helpers.imports import agree, imported, refusal

STEPS, CHANNELS, HIDDEN = 20, 3, 4
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WINDOW = (STEPS, CHANNELS)


def recurrent(path: Path, cell: str, states: np.ndarray, batch: int = 1, lengths: bool = False) -> Path:
    """Write an encoder as torch does for `batch` rows: states and reshapes hold that number."""
    inputs = f"turned w r  {'lengths' if lengths else ''} state" + (" state" if cell == "LSTM" else "")
    nodes = [
        node("Transpose", "x", "turned", perm=[1, 0, 2]),
        node("Add", "half half", "shift"),
        node("Add", "given shift", "state"),
        node(cell, inputs, "all", hidden_size=HIDDEN),
        node("Transpose", "all", "moved", perm=[0, 2, 1, 3]),
        node("Reshape", "moved target", "steps"),
        node("Transpose", "steps", "rows", perm=[1, 0, 2]),
        node("Gather", "rows last", "code", axis=1),
    ]
    gates = GATES[cell] * HIDDEN
    constants = [
        constant("w", foreign.weights(1, gates, CHANNELS)[None]),
        constant("r", foreign.weights(2, gates, HIDDEN)[None]),
        constant("given", states),
        constant("half", 0),
        constant("target", [STEPS, batch, HIDDEN], np.int64),
        constant("last", -1, np.int64),
        *([constant("lengths", [STEPS] * batch, np.int32)] if lengths else []),
    ]
    return save(path, nodes, [("x", [batch, *WINDOW])], [("code", [batch, HIDDEN])], constants)


def decoder(path: Path) -> None:
    """Write a decoder of windows."""
    save(
        path,
        [node("MatMul", "z v", "flat"), node("Reshape", "flat shape", "y")],
        [("z", ["n", HIDDEN])],
        [("y", ["n", *WINDOW])],
        [constant("v", foreign.weights(3, HIDDEN, 60)), constant("shape", [-1, *WINDOW], np.int64)],
    )


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("state", [0.0, 0.5])
@pytest.mark.parametrize("cell", GATES)
def test_constant_states_follow_the_batch(tmp_path: Path, cell: str, state: float, batch: int) -> None:
    states = np.full((1, batch, HIDDEN), state, np.float32)
    encoder = recurrent(tmp_path / "e.onnx", cell, states, batch)
    decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path, "--shape=60"), foreign.samples(WINDOW)
    agree(model.encode(samples), foreign.run(encoder, samples, batch)[0])
    made = onnx.load(tmp_path / "models" / "mine" / "1" / "encoder.onnx").graph.node
    (inputs,) = (each.input for each in made if each.op_type == cell)
    assert (inputs[5] == "") == (state == 0)


def test_full_lengths_of_sequences_are_left_out(tmp_path: Path) -> None:
    encoder = recurrent(tmp_path / "e.onnx", "GRU", np.zeros((1, 1, HIDDEN)), lengths=True)
    decoder(tmp_path / "d.onnx")
    model, samples = imported(tmp_path, "--shape=60"), foreign.samples(WINDOW)
    agree(model.encode(samples), foreign.run(encoder, samples)[0])


def test_states_that_differ_by_row_are_refused_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = np.arange(2 * HIDDEN, dtype=np.float32).reshape(1, 2, HIDDEN) / 8
    recurrent(tmp_path / "e.onnx", "GRU", states, 2)
    decoder(tmp_path / "d.onnx")
    message = refusal(tmp_path, capsys, "--shape=60")
    assert "its batch size, 2, is built into its nodes; export it with a free batch axis" in message
    assert "dynamic_shapes, or dynamic_axes with dynamo=False" in message


def test_constants_are_calculated_and_variables_are_not(tmp_path: Path) -> None:
    model = onnx.load(recurrent(tmp_path / "e.onnx", "GRU", np.full((1, 1, HIDDEN), 0.25)))
    value = constant_value(model, "state")
    assert value is not None
    assert value.tolist() == [[[0.25] * HIDDEN]]
    assert constant_value(model, "turned") is None
