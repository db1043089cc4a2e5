"""The prior of the kind that a configuration asks for: a mixture, or a flow."""

from __future__ import annotations

import logging

from training.config import PriorConfig
from training.errors import InvalidConfiguration
from training.priors.choice import Choice, choose_mixture, simplest
from training.priors.codes import Codes
from training.priors.flows.fit import NETWORKS, FlowKind, fit_flow, flow_steps
from training.priors.mixture import Groups, fit_mixture

log = logging.getLogger(__name__)

MAX_ROWS = 60_000
"""The codes that a prior is fitted to, unless the configuration states their number."""
TRIAL_ROWS = 20_000
"""The codes that mixtures of all sizes are fitted to; the chosen one is fitted again to all."""
GROWTHS = (2, 4)
"""The factors by which the second fit has more Gaussians, since it has more codes."""
MAX_BASE, ROWS_PER_GAUSSIAN = 128, 400
"""The most Gaussians under a RealNVP, and the codes for each of them, unless the configuration states their number."""
MAX_WORK = 2**33
"""The most multiplications in an iteration of the second fit: about two seconds of one core."""


def check_kind(config: PriorConfig, labels: int, dimension: int) -> None:
    """Raise InvalidConfiguration if a model cannot have the prior that a configuration asks for."""
    if config.kind in NETWORKS and labels:
        raise InvalidConfiguration(
            f"prior.kind: a conditional model has a mixture for each label, and {config.kind} takes no labels"
        )
    if config.kind == "realnvp" and dimension < 2:
        raise InvalidConfiguration("prior.kind: realnvp needs at least 2 latents, and the model has 1")


def most_rows(config: PriorConfig) -> int:
    """Return the most codes that are used of each part."""
    return MAX_ROWS if config.rows == "auto" else config.rows


def choose_prior(train: Codes, held_out: Codes, labels: int, config: PriorConfig, seed: int) -> Choice:
    """
    Return the mixture or the flow that a configuration asks for, fitted to codes and chosen by held-out ones.

    `auto` is a mixture, whatever the number of rows: docs/decisions/0042-flows-as-priors.md has the measurements.
    """
    if config.kind == "realnvp" or config.kind == "flow-matching":
        return _choose_flow(config.kind, train, held_out, config, seed)
    return choose_grown_mixture(train, held_out, labels, config, seed)


def choose_grown_mixture(train: Codes, held_out: Codes, labels: int, config: PriorConfig, seed: int) -> Choice:
    """
    Return the mixture that a part of many codes chooses, or one of the same kind of all codes, if that is better.

    Those of all codes have more Gaussians, by GROWTHS, unless the configuration states their number.
    """
    trial = train.choose(TRIAL_ROWS, seed)
    first = choose_mixture(trial, held_out, labels, config, seed)
    if len(trial) == len(train):
        return first
    groups, components = Groups.of(train, labels), max(first.mixture.components)
    is_open = config.components == "auto" and config.kind != "normal"
    candidates = [(first.mixture, first.mixture.log_likelihoods(held_out))]
    for growth in GROWTHS if is_open else (1,):
        count = growth * components
        mixture = fit_mixture(groups, count, first.mixture.covariance, seed, max_work=MAX_WORK)
        if mixture:
            candidates.append((mixture, mixture.log_likelihoods(held_out)))
            mean = candidates[-1][1].mean()
            log.info("prior: %d Gaussians of %d codes: %.3f nats per held-out code", count, len(train), mean)
    mixture, scores = simplest(candidates)
    if mixture is first.mixture:
        return first
    return Choice.of(mixture, scores, train, held_out, f"{first.rule}, of {len(trial)} codes; then of all codes")


def base_components(config: PriorConfig, rows: int) -> int:
    """Return the number of Gaussians under a RealNVP: by the configuration, or by the number of codes."""
    return max(1, min(MAX_BASE, rows // ROWS_PER_GAUSSIAN)) if config.components == "auto" else config.components


def _choose_flow(kind: FlowKind, train: Codes, held_out: Codes, config: PriorConfig, seed: int) -> Choice:
    steps = flow_steps(len(train)) if config.steps == "auto" else config.steps
    components = base_components(config, len(train)) if kind == "realnvp" else 1
    flow = fit_flow(kind, train, held_out, seed, steps, config.couplings, components)
    scores = flow.log_likelihoods(held_out)
    rule = f"configuration, and its weights by {len(held_out)} codes of the validation part"
    if len(scores) < len(held_out):
        rule += f", of which {len(scores)} have the likelihood"
    return Choice.of(flow, scores, train, held_out, rule)
