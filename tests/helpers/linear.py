"""
An ONNX model whose log p(x) is known in closed form: p(x|z) = N(W z + b, D), D diagonal, p(z) = N(0, I).

    p(x) = N(b, W W' + D)        q(z|x) = N(S W' D^-1 (x - b), S) exactly, S = (I + W' D^-1 W)^-1, which is diagonal

The graphs take samples = shift + scale x. The posterior may be made worse than the exact one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from scipy.stats import multivariate_normal

from app.engine.autoencoder import Autoencoder
from app.inputs import VectorInput
from app.manifest import (
    DECODER,
    ENCODER,
    FAMILY_TASKS,
    GOLDEN,
    PRIOR,
    FileDigest,
    GaussianLikelihood,
    Manifest,
    Preprocessing,
)
from app.priors import FittedPrior, GaussianLatent
from tests.helpers.tiny import graph
from training.data.dataset import DataSet, Split
from training.exporting.graphs import export_graph
from training.priors.flows.fit import Flow
from training.priors.flows.graph import FlowGraph
from training.priors.flows.realnvp import RealNVP
from training.priors.mixture import Scale

Array = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """The model, data drawn from it, and the parameters of its distribution."""

    model: Autoencoder
    data: DataSet
    weights: Doubles
    """W, (features, latent_dim), of latents whose prior is N(0, I)"""
    bias: Doubles
    """b, (features,)"""
    variance: Doubles
    """The diagonal of D, (features,)"""
    shift: Doubles
    scale: Doubles

    def x(self) -> Doubles:
        """Return the test part, standardised."""
        return (self.data.test.in_users_units().astype(np.float64) - self.shift) / self.scale

    def log_density(self) -> Doubles:
        """Return log p(x) of each test row, in closed form."""
        covariance = self.weights @ self.weights.T + np.diag(self.variance)
        return np.asarray(multivariate_normal(self.bias, covariance).logpdf(self.x()))


def write_linear(folder: Path, rows: int = 30, features: int = 4, widening: float = 1.0, offset: float = 0.0) -> Linear:
    """Write a model with two latents; multiply its posterior's deviation by `widening` and add `offset` to its mean."""
    random = np.random.default_rng(0)
    bias, shift = random.standard_normal((2, features))
    variance, scale = random.uniform(0.2, 0.8, (2, features))
    basis = np.linalg.qr(random.standard_normal((features, 2)))[0]
    weights = np.sqrt(variance)[:, None] * basis * [1.5, 0.7]
    posterior = 1 / (1 + np.square([1.5, 0.7]))
    towards = posterior[:, None] * weights.T / variance
    logvar = np.log(posterior) + 2 * np.log(widening)
    encode = (towards / scale).T
    start = offset - encode.T @ shift - towards @ bias
    _save(folder / ENCODER, "samples", ["mu", "logvar"], [(encode, start), (np.zeros_like(encode), logvar)])
    _save(folder / DECODER, "latents", ["samples"], [(weights.T * scale, shift + scale * bias)])
    (folder / GOLDEN).write_bytes(b"none")
    manifest = Manifest(
        name="linear",
        version=1,
        description="Linear and Gaussian.",
        family="variational-autoencoder",
        tasks=FAMILY_TASKS["variational-autoencoder"],
        input=VectorInput(shape=(features,)),
        latent=GaussianLatent(dimension=2),
        likelihood=GaussianLikelihood(logvar=tuple(np.log(variance).tolist())),
        preprocessing=Preprocessing(
            log1p=(False,) * features,
            low=(None,) * features,
            high=(None,) * features,
            shift=tuple(shift.tolist()),
            scale=tuple(scale.tolist()),
        ),
        files={name: FileDigest.of(folder / name) for name in (ENCODER, DECODER, GOLDEN)},
    )
    x = random.standard_normal((4 * rows, 2)) @ weights.T + bias
    x += np.sqrt(variance) * random.standard_normal((4 * rows, features))
    split = Split((shift + scale * x).astype(np.float32), None, 1.0)
    train, test = split.take(slice(3 * rows)), split.take(slice(3 * rows, 4 * rows))
    data = DataSet("linear", VectorInput(shape=(features,)), (), train, test, test)
    return Linear(Autoencoder.open(folder, manifest), data, weights, bias, variance, shift, scale)


def with_trained_prior(exact: Linear, mean: Doubles, deviation: Doubles) -> Linear:
    """Return a model whose prior is N(mean, diag(deviation^2)), as if it had been trained with the pair."""
    folder, network = exact.model.folder, RealNVP(torch.eye(2, dtype=torch.float64), couplings=3)
    assert folder is not None
    flow = FlowGraph(Flow("realnvp", Scale(mean, deviation), network.eval().requires_grad_(False)))
    export_graph(flow, flow.example_inputs(2, False, 0), ["latents"], folder / PRIOR)
    prior = FittedPrior(
        kind="realnvp", noise_dimension=2, layers=3, fitted_on="none", chosen_by="hand", log_likelihood=0.0
    )
    manifest = exact.model.manifest.model_copy(
        update={
            "latent": GaussianLatent(dimension=2, prior="trained"),
            "prior": prior,
            "files": {**exact.model.manifest.files, PRIOR: FileDigest.of(folder / PRIOR)},
        }
    )
    Manifest.model_validate(manifest.model_dump())
    bias = exact.bias + exact.weights @ mean
    return replace(exact, model=Autoencoder.open(folder, manifest), bias=bias, weights=exact.weights * deviation)


def _save(path: Path, input_name: str, names: list[str], maps: list[tuple[Doubles, Doubles]]) -> None:
    """Write a graph with one affine map for each output."""
    nodes, constants = [], []
    for name, (matrix, offset) in zip(names, maps, strict=True):
        nodes.append(helper.make_node("MatMul", [input_name, f"{name}_matrix"], [f"{name}_product"]))
        nodes.append(helper.make_node("Add", [f"{name}_product", f"{name}_offset"], [name]))
        constants.append(numpy_helper.from_array(matrix.astype(np.float32), f"{name}_matrix"))
        constants.append(numpy_helper.from_array(offset.astype(np.float32), f"{name}_offset"))
    outputs: list[tuple[str, tuple[int, ...]]] = [
        (name, (matrix.shape[1],)) for name, (matrix, _) in zip(names, maps, strict=True)
    ]
    onnx.save(graph(nodes, [(input_name, (maps[0][0].shape[0],))], outputs, constants), path)
