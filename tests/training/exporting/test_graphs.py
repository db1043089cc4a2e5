"""The export refuses graphs that differ from torch or are unfit for serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from app.engine.session import open_session
from app.importing.tidy import forget_origin
from app.inputs import ImageInput, ValueRange
from tests.helpers import tiny
from tests.helpers.configurations import bundled_config
from training.errors import ExportError
from training.exporting.graphs import (
    MIN_HALF_SIZE,
    check_graph,
    compare,
    rounded_to_half,
    store_as_half,
)
from training.networks.build import build_network


class Sums(torch.nn.Module):
    """The map of tiny's encoder, plus a constant error."""

    def __init__(self, error: float = 0.0) -> None:
        super().__init__()
        self.error = error

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        return samples.flatten(1) @ torch.from_numpy(tiny.POOL) + self.error


def encoder(tmp_path: Path) -> Path:
    """Write tiny's encoder and return the path."""
    path = tmp_path / "encoder.onnx"
    onnx.save(tiny.encoder_graph((1, 2, 2), variational=False), path)
    return path


def test_equal_graphs_pass_and_different_graphs_do_not(tmp_path: Path) -> None:
    path = encoder(tmp_path)
    rows = torch.from_numpy(np.random.default_rng(0).random((64, 1, 2, 2)).astype(np.float32))
    assert compare(Sums(), path, {"samples": rows}) < 1e-6
    with pytest.raises(ExportError, match=r"differ by 0\.01 at batch size 1"):
        compare(Sums(error=0.01), path, {"samples": rows})
    with pytest.raises(ExportError, match="differ by nan"):
        compare(Sums(error=float("nan")), path, {"samples": rows})


def test_a_graph_that_agrees_only_at_batch_1_does_not_pass(tmp_path: Path) -> None:
    class FirstRow(torch.nn.Module):
        """Returns the first row's answer for every row."""

        def forward(self, samples: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = Sums()(samples)[:1].expand(len(samples), 2)
            return answer

    rows = torch.from_numpy(np.random.default_rng(0).random((64, 1, 2, 2)).astype(np.float32))
    with pytest.raises(ExportError, match="at batch size 2"):
        compare(FirstRow(), encoder(tmp_path), {"samples": rows})


def test_a_random_node_is_refused(tmp_path: Path) -> None:
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    model.graph.node.append(helper.make_node("RandomNormalLike", ["flat"], ["noise"]))
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="the graph holds random operators: RandomNormalLike"):
        check_graph(tmp_path / "encoder.onnx")


def test_a_graph_with_stack_traces_is_refused_until_its_origin_is_removed(tmp_path: Path) -> None:
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value="/home/somebody/secret.py")
    model.graph.node[0].doc_string = "/home/somebody/secret.py"
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="the graph holds stack traces of the exporting machine"):
        check_graph(tmp_path / "encoder.onnx")
    forget_origin(model)
    onnx.save(model, tmp_path / "encoder.onnx")
    check_graph(tmp_path / "encoder.onnx")
    assert b"somebody" not in (tmp_path / "encoder.onnx").read_bytes()


def test_a_fixed_batch_axis_is_refused(tmp_path: Path) -> None:
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="the batch axis of samples is fixed"):
        check_graph(tmp_path / "encoder.onnx")


def test_weights_outside_the_file_are_refused(tmp_path: Path) -> None:
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    path = tmp_path / "encoder.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights", size_threshold=0)
    with pytest.raises(ExportError, match="weights lie outside the file"):
        check_graph(path)


def test_an_invalid_graph_is_refused(tmp_path: Path) -> None:
    model = tiny.encoder_graph((1, 2, 2), variational=False)
    model.graph.node[0].input[0] = "nowhere"
    onnx.save(model, tmp_path / "encoder.onnx")
    with pytest.raises(ExportError, match="nowhere"):
        check_graph(tmp_path / "encoder.onnx")


def test_only_large_weights_are_rounded_and_only_in_a_copy() -> None:
    network = build_network(
        bundled_config("digits-sdae"), ImageInput(shape=(1, 8, 8), value_range=ValueRange(low=0, high=1))
    )
    before = [weight.clone() for weight in network.parameters()]
    rounded = list(rounded_to_half(network).parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert any(len(weight.flatten()) >= MIN_HALF_SIZE for weight in before)
    for old, new in zip(before, rounded, strict=True):
        large = old.numel() >= MIN_HALF_SIZE
        assert torch.equal(new, old.half().float() if large else old)


def test_only_weights_that_float16_represents_exactly_are_stored_as_float16(tmp_path: Path) -> None:
    exact = np.full((64, 64), 0.5, np.float32)
    inexact = np.full((64, 64), 0.1, np.float32)
    nodes = [
        helper.make_node("MatMul", ["samples", "exact"], ["middle"]),
        helper.make_node("MatMul", ["middle", "inexact"], ["latents"]),
    ]
    weights = [numpy_helper.from_array(exact, "exact"), numpy_helper.from_array(inexact, "inexact")]
    model = tiny.graph(nodes, [("samples", (64,))], [("latents", (64,))], weights)
    onnx.save(model, tmp_path / "before.onnx")
    store_as_half(model)
    onnx.save(model, tmp_path / "after.onnx")
    check_graph(tmp_path / "after.onnx")
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert stored == {"exact.half": TensorProto.FLOAT16, "inexact": TensorProto.FLOAT}
    rows = np.random.default_rng(0).random((5, 64)).astype(np.float32)
    before, after = (open_session(tmp_path / f"{name}.onnx", 1) for name in ("before", "after"))
    np.testing.assert_array_equal(before.run(None, {"samples": rows})[0], after.run(None, {"samples": rows})[0])
