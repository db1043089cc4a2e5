"""A flow that is read back from its graph has the density of the flow that was exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from tests.helpers import tiny
from tests.helpers.flows import COVARIANCE, noise, shake
from training.errors import RunError
from training.exporting.graphs import export_graph, rounded_to_half
from training.priors.codes import Codes
from training.priors.flows.fit import Flow
from training.priors.flows.graph import FlowGraph
from training.priors.flows.matching import FlowMatching
from training.priors.flows.network import FlowNetwork
from training.priors.flows.realnvp import RealNVP
from training.priors.flows.stored import read_flow
from training.priors.mixture import Scale

SCALE = Scale(np.array([1.0, 0.5, -3]), np.array([2.0, 1, 0.5]))


def export(network: FlowNetwork, path: Path, *, shaken: bool = True) -> Flow:
    """Write the graph of a flow with random weights, or of one that has not been trained; return the flow."""
    if shaken:
        shake(network)
    flow = Flow("realnvp", SCALE, rounded_to_half(network).eval().requires_grad_(False))
    graph = FlowGraph(flow)
    export_graph(graph, graph.example_inputs(2, False, 0), ["latents"], path)
    return flow


@pytest.mark.parametrize("shaken", [True, False])
def test_the_density_is_that_of_the_exported_flow(tmp_path: Path, shaken: bool) -> None:
    flow = export(RealNVP(COVARIANCE, couplings=3), tmp_path / "prior.onnx", shaken=shaken)
    codes = Codes(noise(40).double().numpy())
    expected = flow.log_likelihoods(codes)
    np.testing.assert_allclose(read_flow(tmp_path / "prior.onnx").log_likelihoods(codes), expected, rtol=1e-4)


def test_the_gaussians_under_a_flow_are_read_too(tmp_path: Path) -> None:
    network = RealNVP(COVARIANCE, couplings=2)
    network.fit_base(noise(300), 4, seed=0)
    network.freeze_base()
    flow = export(network, tmp_path / "prior.onnx")
    codes = Codes(noise(40).double().numpy())
    stored = read_flow(tmp_path / "prior.onnx")
    assert isinstance(stored.network, RealNVP)
    assert stored.network.components == 4
    np.testing.assert_allclose(stored.log_likelihoods(codes), flow.log_likelihoods(codes), rtol=1e-4)


def test_large_weights_are_read_from_half_precision(tmp_path: Path) -> None:
    flow = export(RealNVP(COVARIANCE, couplings=1), tmp_path / "prior.onnx")
    stored = {tensor.name for tensor in onnx.load(tmp_path / "prior.onnx").graph.initializer}
    assert "network.couplings.0.network.2.weight.half" in stored
    for name, weight in read_flow(tmp_path / "prior.onnx").network.state_dict().items():
        torch.testing.assert_close(weight, flow.network.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    version = tiny.write_version(tmp_path, prior=True)
    with pytest.raises(RunError, match="not the graph of a RealNVP"):
        read_flow(version / "prior.onnx")
    export(FlowMatching(COVARIANCE), tmp_path / "matching.onnx")
    with pytest.raises(RunError, match="makes other latents than the graph"):
        read_flow(tmp_path / "matching.onnx")


def test_a_graph_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """Weights whose names are right may stand in a graph of another layout."""
    export(RealNVP(COVARIANCE, couplings=2), tmp_path / "prior.onnx")
    model = onnx.load(tmp_path / "prior.onnx")
    for name in ("shift", "deviation"):
        (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == name)
        for node in model.graph.node:
            node.input[:] = [f"{name}_in_use" if used == name else used for used in node.input]
        model.graph.initializer.append(numpy_helper.from_array(7 + numpy_helper.to_array(tensor), f"{name}_in_use"))
    onnx.save(model, tmp_path / "prior.onnx")
    with pytest.raises(RunError, match="makes other latents than the graph"):
        read_flow(tmp_path / "prior.onnx")
