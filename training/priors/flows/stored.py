"""A flow that is read back from the graph of a prior, for the density that the graph of noise does not have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from app.engine.autoencoder import Autoencoder
from app.engine.session import open_session
from app.manifest import PRIOR
from training.errors import RunError
from training.priors.codes import Numbers
from training.priors.flows.base import MixtureBase
from training.priors.flows.fit import Flow
from training.priors.flows.graph import FlowGraph
from training.priors.flows.realnvp import RealNVP
from training.priors.mixture import Scale

Weights = npt.NDArray[np.float32]

NETWORK, HALF = "network.", ".half"
"""The parts of a weight's name in the graph: FlowGraph's member, and the ending of one in half precision."""
CHECKED_ROWS, TOLERANCE = 64, 1e-3


def flow_of_bound(model: Autoencoder) -> Flow | None:
    """Return the flow that is the prior of a model's bound, or None if that is N(0, I). Raises RunError."""
    if not model.manifest.has_trained_prior:
        return None
    assert model.folder is not None, "a model that was opened without its folder has no weights to read"
    return read_flow(model.folder / PRIOR)


def read_flow(path: Path) -> Flow:
    """
    Return the RealNVP of a `prior.onnx` that this package exported, with the same weights.

    Raises RunError if the file is another kind of graph, or if the flow does not make the graph's latents of noise.
    """
    weights = {
        tensor.name.removesuffix(HALF): numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in onnx.load(path).graph.initializer
    }
    couplings = {name.split(".")[2] for name in weights if name.startswith(f"{NETWORK}couplings.")}
    try:
        factor: Numbers = weights[f"{NETWORK}unwhiten"].T.astype(np.float64)
        scale = Scale(*(weights[name].astype(np.float64) for name in ("shift", "deviation")))
        network = RealNVP(torch.from_numpy(factor @ factor.T), len(couplings))
        if f"{NETWORK}base.means" in weights:
            network.base = MixtureBase(*weights[f"{NETWORK}base.means"].shape)
        network.load_state_dict({name: _weight(name, like, weights) for name, like in network.state_dict().items()})
    except (KeyError, RuntimeError) as error:
        raise RunError(f"{path}: not the graph of a RealNVP that was exported here: {error}") from error
    flow = Flow("realnvp", scale, network.eval().requires_grad_(False))
    _check(flow, path)
    return flow


def _weight(name: str, like: Tensor, weights: dict[str, Weights]) -> Tensor:
    """Return a weight of the network by its name; the exporter leaves out those of zeros, or keeps one of several."""
    if name == "whiten":
        inverse: Tensor = torch.linalg.inv(torch.from_numpy(weights[f"{NETWORK}unwhiten"]).double())
        return inverse.float()
    return torch.from_numpy(weights[f"{NETWORK}{name}"]) if f"{NETWORK}{name}" in weights else torch.zeros_like(like)


def _check(flow: Flow, path: Path) -> None:
    graph = FlowGraph(flow)
    noise = graph.example_inputs(CHECKED_ROWS, is_conditional=False, seed=0)["noise"]
    (latents,) = open_session(path, threads=1).run(["latents"], {"noise": noise.numpy()})
    if not np.allclose(graph(noise).numpy(), latents, rtol=TOLERANCE, atol=TOLERANCE):
        raise RunError(f"{path}: the flow of its weights makes other latents than the graph")
