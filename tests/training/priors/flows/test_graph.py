"""The graph of a flow makes latents of noise."""

from __future__ import annotations

import numpy as np
import torch

from tests.helpers.flows import COVARIANCE, noise, shake
from training.priors.flows.fit import Flow
from training.priors.flows.graph import FlowGraph
from training.priors.flows.realnvp import RealNVP
from training.priors.mixture import Scale

SCALE = Scale(np.array([100.0, 0, -3]), np.array([2.0, 1, 0]))


def graph() -> FlowGraph:
    """Return the graph of a flow with random weights."""
    network = RealNVP(COVARIANCE).eval().requires_grad_(False)
    shake(network)
    return FlowGraph(Flow("realnvp", SCALE, network))


def test_draws_are_in_the_units_of_the_latents() -> None:
    flow, rows = graph(), noise(10)
    draws, codes = flow(rows).numpy(), flow.network(rows).numpy()
    np.testing.assert_allclose(draws, [100, 0, -3] + codes * [2, 1, 0], rtol=1e-5)
    assert (draws[:, 2] == -3).all()


def test_rows_do_not_depend_on_each_other() -> None:
    flow, rows = graph(), noise(50)
    torch.testing.assert_close(flow(rows)[7:8], flow(rows[7:8]))
    torch.testing.assert_close(flow(rows.flip(0)).flip(0), flow(rows))


def test_the_noise_has_a_column_for_each_latent() -> None:
    inputs = graph().example_inputs(4, False, seed=0)
    assert {name: tuple(rows.shape) for name, rows in inputs.items()} == {"noise": (4, 3)}
