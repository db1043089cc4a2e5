"""The composed graph runs encoder, decoder and scorer, whatever their opsets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from app.engine.session import open_session
from app.manifest import DECODER, ENCODER
from tests.helpers import tiny
from training.errors import ExportError
from training.scorers.compose import compose_scorer

SHAPE = ("batch", 1, 2, 2)


def scorer(path: Path, opset: int = 18) -> Path:
    """Write a graph whose score is the sum of the latents, and whose attribution the error of reconstructions."""
    inputs = [("samples", SHAPE), ("latents", ("batch", 2)), ("reconstructions", SHAPE)]
    outputs = [("score", ("batch",)), ("p_value", ("batch",)), ("attribution", SHAPE)]
    nodes = [
        helper.make_node("Constant", [], ["axis"], value=helper.make_tensor("axis", TensorProto.INT64, [1], [1])),
        helper.make_node("ReduceSum", ["latents", "axis"], ["score"], keepdims=0),
        helper.make_node("Neg", ["score"], ["p_value"]),
        helper.make_node("Sub", ["samples", "reconstructions"], ["attribution"]),
    ]
    ins, outs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values]
        for values in (inputs, outputs)
    )
    graph = helper.make_graph(nodes, "scorer", ins, outs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), path)
    return path


@pytest.mark.parametrize("opset", [13, 18, 20])
@pytest.mark.parametrize("family", ["autoencoder", "variational-autoencoder"])
def test_the_outputs_are_those_of_the_three_graphs(tmp_path: Path, family: str, opset: int) -> None:
    folder = tiny.write_version(tmp_path, family=family)  # type: ignore[arg-type]
    path = tmp_path / "scorer.onnx"
    compose_scorer(folder / ENCODER, folder / DECODER, scorer(tmp_path / "head.onnx", opset), path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = open_session(path, threads=1)
    assert [value.name for value in session.get_inputs()] == ["samples"]
    assert [value.name for value in session.get_outputs()] == ["score", "p_value", "attribution"]
    samples = np.array([[[[0.5, 0.3], [0.0, 1.0]]]], np.float32)
    score, p_value, attribution = session.run(None, {"samples": samples})
    np.testing.assert_allclose(score, [1.8], rtol=1e-6)
    np.testing.assert_allclose(p_value, [-1.8], rtol=1e-6)
    np.testing.assert_allclose(attribution, [[[[0.1, -0.1], [-0.5, 0.5]]]], atol=1e-6)


def test_a_graph_that_cannot_be_converted_is_named(tmp_path: Path) -> None:
    folder = tiny.write_version(tmp_path)
    encoder = onnx.load(folder / ENCODER)
    encoder.graph.node[0].op_type = "Scan"
    encoder.opset_import[0].version = 7
    onnx.save(encoder, folder / ENCODER)
    with pytest.raises(ExportError, match=r"scorer\.onnx: a graph of the pair cannot be converted to opset 18"):
        compose_scorer(folder / ENCODER, folder / DECODER, scorer(tmp_path / "head.onnx"), tmp_path / "scorer.onnx")
