"""The choice between a mixture and a flow, by the likelihood of the validation part."""

from __future__ import annotations

import logging
from dataclasses import replace

from training.config import PriorConfig
from training.errors import InvalidConfiguration
from training.priors.choice import Choice, choose_mixture, exceeds_chance
from training.priors.codes import Codes
from training.priors.flows.fit import NETWORKS, FlowKind, fit_flow, flow_steps

log = logging.getLogger(__name__)

AUTO_FLOW: FlowKind = "realnvp"
"""The flow that `auto` tries; docs/decisions/0042-flows-as-priors.md has the comparison with the other."""
MIN_AUTO_ROWS = 10_000
"""Training rows from which `auto` tries a flow."""
MAX_AUTO_DIMENSION = 256
"""Latents up to which `auto` tries a flow: its time grows with their number."""
MIXTURE_ROWS, FLOW_ROWS = 20_000, 60_000
"""The codes that a mixture and a flow are fitted to, unless the configuration states their number."""


def check_kind(config: PriorConfig, labels: int, dimension: int) -> None:
    """Raise InvalidConfiguration if a model can't have the prior that a configuration asks for."""
    if config.kind in NETWORKS and labels:
        raise InvalidConfiguration(
            f"prior.kind: a conditional model has a mixture for each label, and {config.kind} takes no labels"
        )
    if config.kind == "realnvp" and dimension < 2:
        raise InvalidConfiguration("prior.kind: realnvp needs at least 2 latents, and the model has 1")


def tries_flow(config: PriorConfig, rows: int, labels: int, dimension: int) -> bool:
    """Return whether a flow is fitted to the codes of a training part with so many rows."""
    if config.kind in NETWORKS:
        return True
    is_open = (config.kind, config.components, config.covariance) == ("auto", "auto", "auto")
    return is_open and not labels and rows >= MIN_AUTO_ROWS and 2 <= dimension <= MAX_AUTO_DIMENSION


def most_rows(config: PriorConfig, has_flow: bool) -> int:
    """Return the most codes that are used of each part."""
    if config.rows == "auto":
        return FLOW_ROWS if has_flow else MIXTURE_ROWS
    return config.rows


def choose_prior(
    train: Codes, held_out: Codes, labels: int, config: PriorConfig, seed: int, has_flow: bool = False
) -> Choice:
    """
    Return the mixture or the flow that a configuration asks for; of `auto`, the better one on the held-out codes.

    With `has_flow`, `auto` tries a flow, which must be better by more than chance.
    """
    if config.kind == "realnvp" or config.kind == "flow-matching":
        return _choose_flow(config.kind, train, held_out, config, seed)
    subset = train.choose(most_rows(config, has_flow=False), seed)
    mixture = choose_mixture(subset, held_out, labels, config, seed)
    if not has_flow:
        return mixture
    flow = _choose_flow(AUTO_FLOW, train, held_out, config, seed)
    gain = flow.prior.log_likelihoods(held_out) - mixture.prior.log_likelihoods(held_out)
    is_flow = exceeds_chance(gain)
    log.info(
        "prior: %s, whose %.3f nats per held-out code are %s by more than chance than the mixture's %.3f",
        AUTO_FLOW if is_flow else "the mixture is kept and not " + AUTO_FLOW,
        flow.log_likelihood,
        "better" if is_flow else "not better",
        mixture.log_likelihood,
    )
    if is_flow:
        rule = (
            f"likelihood of {len(held_out)} codes of the validation part, better by more than chance than a mixture's"
        )
        return replace(flow, rule=f"{rule} {mixture.log_likelihood:.2f} nats per code")
    return replace(mixture, rule=f"{mixture.rule}; {AUTO_FLOW} was no better")


def _choose_flow(kind: FlowKind, train: Codes, held_out: Codes, config: PriorConfig, seed: int) -> Choice:
    steps = flow_steps(len(train)) if config.steps == "auto" else config.steps
    flow = fit_flow(kind, train, held_out, seed, steps)
    scores = flow.log_likelihoods(held_out)
    rule = f"configuration; its weights by {len(held_out)} codes of the validation part"
    if len(scores) < len(held_out):
        rule += f", of which {len(scores)} have the likelihood"
    return Choice.of(flow, scores, train, held_out, rule)
