"""The prior of the kind that a configuration asks for: a mixture, or a flow."""

from __future__ import annotations

from training.config import PriorConfig
from training.errors import InvalidConfiguration
from training.priors.choice import Choice, choose_mixture
from training.priors.codes import Codes
from training.priors.flows.fit import NETWORKS, FlowKind, fit_flow, flow_steps

MIXTURE_ROWS, FLOW_ROWS = 20_000, 60_000
"""The codes that a mixture and a flow are fitted to, unless the configuration states their number."""


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
    if config.rows == "auto":
        return FLOW_ROWS if config.kind in NETWORKS else MIXTURE_ROWS
    return config.rows


def choose_prior(train: Codes, held_out: Codes, labels: int, config: PriorConfig, seed: int) -> Choice:
    """
    Return the mixture or the flow that a configuration asks for, fitted to codes and chosen by held-out ones.

    `auto` is a mixture, whatever the number of rows: docs/decisions/0042-flows-as-priors.md has the measurements.
    """
    if config.kind == "realnvp" or config.kind == "flow-matching":
        return _choose_flow(config.kind, train, held_out, config, seed)
    return choose_mixture(train, held_out, labels, config, seed)


def _choose_flow(kind: FlowKind, train: Codes, held_out: Codes, config: PriorConfig, seed: int) -> Choice:
    steps = flow_steps(len(train)) if config.steps == "auto" else config.steps
    flow = fit_flow(kind, train, held_out, seed, steps)
    scores = flow.log_likelihoods(held_out)
    rule = f"configuration, and its weights by {len(held_out)} codes of the validation part"
    if len(scores) < len(held_out):
        rule += f", of which {len(scores)} have the likelihood"
    return Choice.of(flow, scores, train, held_out, rule)
