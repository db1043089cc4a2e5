"""A coarse copy of a graph has large weights of 8 bits, and nearly the same outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from app.engine.session import open_session
from training.exporting.coarse import MIN_NUMBERS, rounded_to_bytes, split, write_coarse_copy
from training.exporting.graphs import export_graph, rounded_to_half

INPUT = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 200), dtype=np.float32))


def write(path: Path, *, half: bool) -> None:
    """Write a graph with one large matrix and a small one."""
    torch.manual_seed(0)
    network: nn.Module = nn.Sequential(nn.Linear(200, 100), nn.SiLU(), nn.Linear(100, 3))
    export_graph(rounded_to_half(network) if half else network, {"x": INPUT}, ["y"], path)


def types(path: Path) -> dict[str, str]:
    """Return the type of each weight."""
    tensors = onnx.load(path).graph.initializer
    return {tensor.name: str(numpy_helper.to_array(tensor).dtype) for tensor in tensors}


def outputs(path: Path) -> np.ndarray:
    """Run a graph."""
    return np.asarray(open_session(path, threads=1).run(None, {"x": INPUT.numpy()})[0])


@pytest.mark.parametrize("half", [True, False])
def test_large_weights_have_8_bits_and_small_ones_stay(tmp_path: Path, half: bool) -> None:
    write(tmp_path / "graph.onnx", half=half)
    write_coarse_copy(tmp_path / "graph.onnx", tmp_path / "copy.onnx")
    before, after = types(tmp_path / "graph.onnx"), types(tmp_path / "copy.onnx")
    (large,) = (name for name in before if name.startswith("0.weight"))
    assert after.pop("0.weight.int8") == "int8"
    assert after.pop("0.weight.factors") == "float32"
    assert after == {name: kind for name, kind in before.items() if name != large}
    smaller = (tmp_path / "graph.onnx").stat().st_size - (tmp_path / "copy.onnx").stat().st_size
    assert smaller > (0.9 if half else 2.8) * 200 * 100


@pytest.mark.parametrize("half", [True, False])
def test_the_outputs_are_nearly_the_same(tmp_path: Path, half: bool) -> None:
    write(tmp_path / "graph.onnx", half=half)
    write_coarse_copy(tmp_path / "graph.onnx", tmp_path / "copy.onnx")
    exact, coarse = outputs(tmp_path / "graph.onnx"), outputs(tmp_path / "copy.onnx")
    assert 0 < np.abs(coarse - exact).max() < 0.02 * exact.std()


def test_weights_are_restored_to_within_half_a_step() -> None:
    weights = np.random.default_rng(0).standard_normal((5, 7, 3)).astype(np.float32)
    weights[2] = 0
    integers, factors = split(weights)
    assert integers.dtype == np.int8
    assert factors.shape == (5, 1, 1)
    assert (np.abs(integers * factors - weights) <= 0.501 * factors).all()
    assert (np.abs(integers).max(axis=(1, 2)) == [127, 127, 0, 127, 127]).all()


def test_rounded_weights_are_stored_in_8_bits_without_loss(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(rounded_to_bytes(nn.Linear(200, 100)), nn.SiLU(), nn.Linear(100, 200))
    export_graph(network, {"x": INPUT}, ["y"], tmp_path / "graph.onnx")
    stored = types(tmp_path / "graph.onnx")
    assert stored["0.weight.int8"] == "int8"
    assert stored["2.weight"] == "float32"
    with torch.no_grad():
        np.testing.assert_allclose(outputs(tmp_path / "graph.onnx"), network(INPUT).numpy(), rtol=1e-4, atol=1e-5)


def test_a_weight_that_is_also_an_input_stays(tmp_path: Path) -> None:
    """Old graphs list weights among the inputs, so that callers can replace them."""
    write(tmp_path / "graph.onnx", half=False)
    model = onnx.load(tmp_path / "graph.onnx")
    (large,) = (tensor for tensor in model.graph.initializer if np.prod(tensor.dims) >= MIN_NUMBERS)
    model.graph.input.append(onnx.helper.make_tensor_value_info(large.name, onnx.TensorProto.FLOAT, large.dims))
    onnx.save(model, tmp_path / "graph.onnx")
    write_coarse_copy(tmp_path / "graph.onnx", tmp_path / "copy.onnx")
    assert types(tmp_path / "copy.onnx") == types(tmp_path / "graph.onnx")
