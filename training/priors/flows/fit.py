"""The training of a flow on the codes of the training part, and its likelihood of held-out codes."""

from __future__ import annotations

import copy
import logging
import math
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from training.openmp import one_thread
from training.priors.codes import Codes, Numbers
from training.priors.flows.matching import FlowMatching
from training.priors.flows.network import FlowNetwork, batches
from training.priors.flows.realnvp import COUPLINGS, RealNVP
from training.priors.mixture import REGULARISATION, Scale

log = logging.getLogger(__name__)

FlowKind = Literal["realnvp", "flow-matching"]
AnyFlow = TypeVar("AnyFlow", bound=FlowNetwork)

NETWORKS: dict[FlowKind, type[FlowNetwork]] = {"realnvp": RealNVP, "flow-matching": FlowMatching}
BATCH_SIZE = 256
MIN_STEPS, MAX_STEPS, EPOCHS = 1_500, 6_000, 27
LEARNING_RATE, WEIGHT_DECAY, MAX_GRADIENT_NORM = 2e-3, 0.01, 5.0
WARMUP = 0.1
"""The share of the steps in which the learning rate rises."""
AVERAGE_DECAY = 0.998
"""The share that each step leaves of the averaged weights, after the first few hundred."""
CHECKS = 16
"""The number of times that the averaged weights are measured on the held-out codes."""
ROWS_PER_RUN = 1024


@dataclass(frozen=True)
class Flow:
    """A trained flow of standardised codes."""

    kind: FlowKind
    scale: Scale
    network: FlowNetwork

    def log_likelihoods(self, codes: Codes) -> Numbers:
        """
        Return the logarithm of the density at codes, in nats: at all, or at as many as there is time for.

        Shape: (N,)
        """
        rows = self.network.density_rows(len(codes))
        with torch.no_grad(), one_thread():
            parts = batches(self._standardise(codes)[:rows], ROWS_PER_RUN)
            scores = torch.cat([self.network.log_density(part) for part in parts])
        likelihoods: Numbers = scores.double().numpy() - self.scale.log_volume
        return likelihoods

    def _standardise(self, codes: Codes) -> Tensor:
        return torch.from_numpy(self.scale.standardise(codes.latents).astype(np.float32))


def flow_steps(rows: int) -> int:
    """Return the steps that a flow of this many codes is trained for."""
    return min(MAX_STEPS, max(MIN_STEPS, EPOCHS * rows // BATCH_SIZE))


def fit_flow(
    kind: FlowKind,
    train: Codes,
    held_out: Codes,
    seed: int,
    steps: int,
    couplings: int = COUPLINGS,
    components: int = 1,
) -> Flow:
    """
    Train a flow, and return it with the averaged weights that fit the held-out codes best.

    As a mixture, it is the density of codes with noise whose variance is REGULARISATION, so that latents which are
    constant, or functions of others, have no infinite density. The same seed gives the same weights on a machine.
    `couplings` and `components`, the Gaussians of the base, are those of a RealNVP.
    """
    scale = Scale.of(train.latents)
    rows, others = (
        torch.from_numpy(scale.standardise(codes.latents).astype(np.float32)) for codes in (train, held_out)
    )
    covariance = torch.cov(rows.double().T, correction=0).reshape(rows.shape[1], -1)
    covariance += REGULARISATION * torch.eye(rows.shape[1], dtype=torch.float64)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "flow-matching":
            return Flow(kind, scale, _train(FlowMatching(covariance), rows, others, seed, steps))
        network = RealNVP(covariance, couplings)
        if components > 1:
            network.fit_base(rows, components, seed)
        trained = _train(network, rows, others, seed, steps)
        trained.freeze_base()
        return Flow(kind, scale, trained)


def _train(network: AnyFlow, rows: Tensor, held_out: Tensor, seed: int, steps: int) -> AnyFlow:
    """Train a network, and return the best of its averages, by the loss of held-out codes."""
    generator = torch.Generator().manual_seed(seed)
    average = copy.deepcopy(network)
    best, least = average, float("inf")
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=WEIGHT_DECAY)
    for step in range(1, steps + 1):
        batch = rows[torch.randint(len(rows), (BATCH_SIZE,), generator=generator)]
        noise = torch.randn(batch.shape, generator=generator)
        loss = network.loss(batch + REGULARISATION**0.5 * noise, generator).mean()
        optimiser.param_groups[0]["lr"] = learning_rate(step, steps)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimiser.step()
        _move_average(average, network, min(AVERAGE_DECAY, step / (step + 10)))
        if step % max(1, steps // CHECKS) == 0 or step == steps:
            held_out_loss = _held_out_loss(average, held_out, seed)
            log.info("prior: %d of %d steps: %.3f per held-out code", step, steps, held_out_loss)
            if held_out_loss < least:
                best, least = copy.deepcopy(average), held_out_loss
    return best.eval().requires_grad_(False)


def learning_rate(step: int, steps: int) -> float:
    """Return the learning rate of a step, counted from 1: it rises at first, and falls along a cosine."""
    return LEARNING_RATE * min(1.0, step / (WARMUP * steps)) * 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))


def _move_average(average: FlowNetwork, network: FlowNetwork, decay: float) -> None:
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)


def _held_out_loss(network: FlowNetwork, codes: Tensor, seed: int) -> float:
    """Return the mean loss of codes, with the same noise at every call."""
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        return float(torch.cat([network.loss(part, generator) for part in batches(codes, ROWS_PER_RUN)]).mean())
